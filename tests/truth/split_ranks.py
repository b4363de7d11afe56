"""Layers, sequences and experts split over ranks, written plainly with torch and transformers."""

from __future__ import annotations

from typing import Any

import torch

from memplanner.plan import Plan


def split(module: Any, plan: Plan) -> Any:
    """The module with layers, sequence or experts split as ``plan`` says, in FSDP2 or DDP."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    section = plan.sharding
    data = section.ranks // section.tensor
    mesh = init_device_mesh("cpu", (data, section.tensor), mesh_dim_names=("data", "tensor"))
    tensor = mesh["tensor"]
    if section.tensor > 1:
        if module.tp_plan:
            from transformers.distributed.tensor_parallel import apply_tensor_parallelism

            rules = dict(module._expand_parallel_plan(module.tp_plan))
            if section.expert > 1:
                rules = {name: word for name, word in rules.items() if "experts" not in name}
            if section.sequence_parallel:
                rules = {name: word for name, word in rules.items() if "layers" not in name}
                _split_sequence(module.model.layers, tensor)
            if section.loss_parallel:
                rules = {name: word for name, word in rules.items() if "lm_head" not in name}
                _keep_parts_of_logits(module, tensor)
            apply_tensor_parallelism(module, tensor, rules)
        else:
            from torch.distributed.tensor.parallel import (
                ColwiseParallel,
                RowwiseParallel,
                parallelize_module,
            )

            for block in module.vit.layers:
                column = ("attention.q_proj", "attention.k_proj", "attention.v_proj", "mlp.fc1")
                rules = {name: ColwiseParallel() for name in column}
                rules |= {name: RowwiseParallel() for name in ("attention.o_proj", "mlp.fc2")}
                parallelize_module(block, tensor, rules)
    if section.expert > 1:
        _deal_out_experts(module, tensor, plan)
    if data > 1 and section.data in {"replicated", "zero_1"}:
        return DistributedDataParallel(
            module,
            device_mesh=mesh["data"],
            bucket_cap_mb=section.bucket_mib,
            gradient_as_bucket_view=section.bucket_view,
        )
    if data > 1:
        free = section.data == "zero_3"
        blocks = module.vit.layers if hasattr(module, "vit") else module.model.layers
        for block in blocks:
            fully_shard(block, mesh=mesh["data"], reshard_after_forward=free)
        fully_shard(module, mesh=mesh["data"], reshard_after_forward=free)
    return module


def _keep_parts_of_logits(module: Any, mesh: Any) -> None:
    """The head as torch's ``loss_parallel`` wants it."""
    from torch.distributed.tensor import Shard
    from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    head = ColwiseParallel(output_layouts=Shard(-1), use_local_output=False)
    parallelize_module(module, mesh, {"lm_head": head})


def _split_sequence(blocks: Any, mesh: Any) -> None:
    """Tensor and sequence parallelism of a Llama's blocks, as torch's tutorial has it."""
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        PrepareModuleInput,
        PrepareModuleOutput,
        RowwiseParallel,
        SequenceParallel,
        parallelize_module,
    )

    whole, parts = Replicate(), Shard(1)
    names = {"hidden_states": parts}, {"hidden_states": whole}
    for block in blocks:
        rules: dict[str, Any] = {
            "input_layernorm": SequenceParallel(use_local_output=True),
            "post_attention_layernorm": SequenceParallel(use_local_output=True),
            "self_attn": PrepareModuleInput(
                input_kwarg_layouts=names[0], desired_input_kwarg_layouts=names[1]
            ),
            "mlp": PrepareModuleInput(input_layouts=parts, desired_input_layouts=whole),
        }
        columns = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj")
        rules |= {name: ColwiseParallel() for name in (*columns, "mlp.up_proj")}
        rows = ("self_attn.o_proj", "mlp.down_proj")
        rules |= {name: RowwiseParallel(output_layouts=parts) for name in rows}
        parallelize_module(block, mesh, rules)
        for norm in (block.input_layernorm, block.post_attention_layernorm):
            norm.weight.register_hook(lambda grad: grad.redistribute(placements=[whole]))
    parallelize_module(
        blocks[0],
        mesh,
        PrepareModuleInput(input_layouts=whole, desired_input_layouts=parts, use_local_output=True),
    )
    parallelize_module(
        blocks[-1],
        mesh,
        PrepareModuleOutput(output_layouts=parts, desired_output_layouts=whole),
    )


def _deal_out_experts(module: Any, tensor: Any, plan: Plan) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from transformers.distributed.expert_parallel import apply_expert_parallelism

    section = plan.sharding
    shape = section.ranks // section.expert, section.expert
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("copies", "experts"))
    rules = module._expand_parallel_plan(module.ep_plan)
    apply_expert_parallelism(module, mesh["experts"], tensor, rules)
    for block in module.model.layers:
        experts = block.mlp.experts
        free = section.data == "zero_3"
        fully_shard(experts, mesh=mesh["copies"], reshard_after_forward=free)
        experts.set_gradient_divide_factor(float(section.ranks // section.tensor))
        if shape[0] > 1:
            experts.set_force_sum_reduction_for_comms(True)
        _balance(block.mlp.gate)


def _balance(router: Any) -> None:
    """Every expert gets as many tokens, as is predicted."""
    forward = router.forward

    def balanced(hidden: torch.Tensor) -> Any:
        logits, weights, chosen = forward(hidden)
        dealt = torch.arange(chosen.numel()) % router.num_experts
        chosen.data.copy_(dealt.view_as(chosen))  # topk keeps it for backward
        return logits, weights, chosen

    router.forward = balanced
