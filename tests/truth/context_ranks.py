"""Sequences split over ranks with torch's ``context_parallel`` and DTensor, written plainly.

Torch's dispatcher knows CUDA's kernels; the CPU's are told to it here as theirs are there
(``torch/distributed/tensor/experimental/_context_parallel/_attention.py: _sdpa_handler``).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from memplanner.plan import Plan

aten = torch.ops.aten


def over_context(module: Any, plan: Plan) -> Any:
    """A Llama that takes whole sequences and computes its part, with FSDP2 or DDP around it."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    section = plan.sharding
    data = section.ranks // (section.context * section.tensor)
    shape = data, section.context, section.tensor
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("data", "context", "tensor"))
    if section.tensor > 1:
        from transformers.distributed.tensor_parallel import apply_tensor_parallelism

        rules = dict(module._expand_parallel_plan(module.tp_plan))
        apply_tensor_parallelism(module, mesh["tensor"], rules)
    _attend_in_a_ring(module, mesh["context"], section.context_rotation)
    place, pieces = mesh["context"].get_local_rank(), 2 * section.context

    def own(whole: torch.Tensor) -> torch.Tensor:
        parts = whole.chunk(pieces, dim=1)
        return torch.cat([parts[place], parts[pieces - 1 - place]], dim=1)

    def deal_out(_: Any, args: Any, batch: dict[str, Any]) -> Any:
        length = batch["input_ids"].size(1)
        labels = F.pad(batch["labels"], (0, 1), value=-100)[:, 1:]
        mine = own(labels)
        return args, {
            "input_ids": own(batch["input_ids"]),
            "position_ids": own(torch.arange(length)[None]),
            "labels": mine,
            "shift_labels": mine,
            "num_items_in_batch": (labels != -100).sum() / section.context,
        }

    module.register_forward_pre_hook(deal_out, with_kwargs=True)
    if section.data in {"zero_2", "zero_3"}:
        cards, free = mesh["data", "context"]._flatten("cards"), section.data == "zero_3"
        if section.replicas > 1:
            halves = section.replicas, section.ranks // section.replicas
            cards = init_device_mesh("cpu", halves, mesh_dim_names=("replicas", "shares"))
        for block in module.model.layers:
            fully_shard(block, mesh=cards, reshard_after_forward=free)
        fully_shard(module, mesh=cards, reshard_after_forward=free)
        return module
    return DistributedDataParallel(module, bucket_cap_mb=section.bucket_mib)


def _attend_in_a_ring(module: Any, mesh: Any, rotation: str) -> None:
    from torch.distributed.tensor import DTensor
    from torch.distributed.tensor.experimental._context_parallel import _attention as context
    from transformers import AttentionInterface

    context.set_rotate_method({"all_gather": "allgather", "all_to_all": "alltoall"}[rotation])
    group = mesh.get_group()

    def wrapped(results: Any, like: Any) -> Any:
        return tuple(
            DTensor.from_local(part, like.device_mesh, like.placements, run_check=False)
            for part in results
        )

    def forward(operation: Any, args: Any, kwargs: Any) -> Any:
        query, key, value, dropout, causal = args
        kwargs.pop("attn_mask", None)
        results = context._templated_ring_attention(
            group, 2, operation, query.to_local(), key.to_local(), value.to_local(),
            is_causal=causal, dropout_p=dropout, **kwargs,
        )  # fmt: skip
        return wrapped(results, query)

    def backward(operation: Any, args: Any, kwargs: Any) -> Any:
        grad, query, key, value, output, statistics = (part.to_local() for part in args[:6])
        kwargs.pop("attn_mask", None)
        results = context._templated_ring_attention_backward(
            group, 2, operation, grad, "grad_out", query, key, value, output, statistics,
            is_causal=args[7], dropout_p=args[6], **kwargs,
        )  # fmt: skip
        return wrapped(results, args[1])

    context.custom_ops[aten._scaled_dot_product_flash_attention_for_cpu.default] = forward
    context.custom_ops[aten._scaled_dot_product_flash_attention_for_cpu_backward.default] = backward
    context._disable_context_parallel_dispatcher_impl()  # another case's mesh
    context._enable_context_parallel_dispatcher_impl(seq_dim=2, mesh=mesh)

    def attend(
        part: Any, query: Any, key: Any, value: Any, mask: Any, scaling: Any = None, **_: Any
    ) -> Any:
        assert mask is None
        output = F.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, enable_gqa=True
        )
        return output.transpose(1, 2).contiguous(), None

    AttentionInterface.register("plain_ring", attend)
    module.set_attn_implementation("plain_ring")
