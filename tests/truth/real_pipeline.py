"""Real pipelined steps on CPU ranks, with stages written plainly and torch's own schedules."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from memplanner.plan import Plan
from tests.truth.rank_models import MODELS

_SCHEDULES = {
    "gpipe": "ScheduleGPipe",
    "1f1b": "Schedule1F1B",
    "interleaved_1f1b": "ScheduleInterleaved1F1B",
    "zero_bubble": "ScheduleInterleavedZeroBubble",
}


class _Part(nn.Module):
    """Some blocks of a model, with what comes before them or after them at its ends."""

    def __init__(self, first: bool, last: bool, blocks: list[nn.Module], plan: Plan) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.blocks = nn.ModuleList(blocks)
        self.mixed = plan.precision == "bf16_mixed" and plan.sharding.data == "replicated"

    def forward(self, given: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16) if self.mixed else nullcontext():
            hidden = self.run(self.before(given) if self.first else given)
            return self.loss(hidden, labels) if self.last else hidden

    def before(self, given: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def run(self, hidden: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def loss(self, hidden: torch.Tensor, labels: Any) -> torch.Tensor:
        raise NotImplementedError


class _Decoder(_Part):
    """Of a Llama, a Mixtral or another that turns queries and keys."""

    def __init__(self, model: Any, first: bool, last: bool, blocks: list[nn.Module], plan: Plan):
        super().__init__(first, last, blocks, plan)
        self.embed = model.model.embed_tokens if first else None
        self.rotary = copy.deepcopy(model.model.rotary_emb)  # each stage is a model of its own
        self.norm = model.model.norm if last else None
        self.head = model.lm_head if last else None
        self.loss_function, self.vocabulary = model.loss_function, model.config.vocab_size

    def before(self, given: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = self.embed(given)
        return embedded

    def run(self, hidden: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(hidden.shape[1])[None]
        turned = self.rotary(hidden, position_ids=positions)
        for block in self.blocks:
            hidden = block(
                hidden, attention_mask=None, position_embeddings=turned, position_ids=positions
            )
        return hidden

    def loss(self, hidden: torch.Tensor, labels: Any) -> torch.Tensor:
        logits = self.head(self.norm(hidden))
        loss: torch.Tensor = self.loss_function(
            logits=logits, labels=labels, vocab_size=self.vocabulary
        )
        return loss


class _Vision(_Part):
    """Of a ViT with a classifier."""

    def __init__(self, model: Any, first: bool, last: bool, blocks: list[nn.Module], plan: Plan):
        super().__init__(first, last, blocks, plan)
        self.embed = model.vit.embeddings if first else None
        self.norm = model.vit.layernorm if last else None
        self.head = model.classifier if last else None

    def before(self, given: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = self.embed(given)
        return embedded

    def run(self, hidden: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            hidden = block(hidden, None)
        return hidden

    def loss(self, hidden: torch.Tensor, labels: Any) -> torch.Tensor:
        return nn.functional.cross_entropy(self.head(self.norm(hidden)[:, 0, :]), labels)


def measure_pipeline(name: str, plan: Plan, expected_bytes: int) -> Any:
    """What this rank measures in a steady step of a pipeline."""
    from torch.distributed import pipelining
    from torch.distributed.device_mesh import init_device_mesh

    from tests.truth.real_ranks import (
        Rank,
        RankBirths,
        _local,
        _optimizer,
        _standing,
        steady_peak_bytes,
    )

    section, micro_batches = plan.sharding, plan.training.gradient_accumulation_steps
    mesh = init_device_mesh(
        "cpu", (section.pipeline, section.data_degree), mesh_dim_names=("pipeline", "data")
    )
    small = MODELS[name]
    stored = {"bf16": torch.bfloat16}.get(plan.precision, torch.float32)
    model: Any = small.build().train().to(stored)
    if plan.activation_checkpointing.policy == "full":
        model.activation_checkpointing_enable({"use_reentrant": False})
    whole = model.vit.layers if name == "vit" else model.model.layers
    counts = section.stage_blocks
    parts: list[Any] = []
    numbers = range(dist.get_rank() // section.data_degree, len(counts), section.pipeline)
    for number in numbers:
        start = sum(counts[:number])
        parts.append(
            (_Vision if name == "vit" else _Decoder)(
                model,
                number == 0,
                number == len(counts) - 1,
                list(whole[start : start + counts[number]]),
                plan,
            )
        )
    del model, whole
    wrapped = [_over_data(part, mesh["data"], plan) for part in parts]
    shape = (plan.training.batch_size, 17 if name == "vit" else plan.training.sequence_length, 128)
    mixed = plan.precision == "bf16_mixed" and section.data in {"zero_2", "zero_3"}
    kind_of_hidden = torch.bfloat16 if mixed else stored
    handed = torch.empty(shape, dtype=kind_of_hidden, device="meta", requires_grad=True)
    taken = next(iter(small.batch(plan).values())).to("meta")
    stages = [
        pipelining.PipelineStage(  # told what it takes: DDP does not bear a forward to find out
            part,
            number,
            len(counts),
            torch.device("cpu"),
            input_args=handed if number else taken,
            output_args=handed,
            group=mesh["pipeline"].get_group(),
        )
        for number, part in zip(numbers, wrapped, strict=True)
    ]
    kind = getattr(pipelining, _SCHEDULES[section.schedule])
    several = section.schedule in {"interleaved_1f1b", "zero_bubble"}
    schedule = kind(
        stages if several else stages[0],
        micro_batches,
        loss_fn=lambda loss, target: loss / micro_batches if micro_batches > 1 else loss,
        scale_grads=False,
    )
    together = nn.ModuleList(wrapped)
    optimizer = _optimizer(together, plan)
    training = plan.training.model_copy(
        update={"batch_size": plan.training.batch_size * micro_batches}
    )
    batch = small.batch(plan.model_copy(update={"training": training}))
    labels = batch.pop("labels")
    inputs = list(batch.values()) if parts[0].first else []
    target = {"target": labels, "labels": labels} if parts[-1].last else {}
    held = {str(place): tensor for place, tensor in enumerate([*inputs, *target.values()])}
    del batch, labels

    def step() -> None:
        schedule.step(*inputs, return_outputs=False, **target)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    watch = RankBirths([])
    with watch, watch.resizes():
        for tensor in _standing(together, optimizer, held):
            watch._see(tensor, "standing")
        step()
        step()
    peak_bytes = steady_peak_bytes(watch, step, expected_bytes)
    standing = {
        _local(tensor).untyped_storage()._cdata: _local(tensor).untyped_storage().nbytes()
        for tensor in _standing(together, optimizer, {})
    }
    return Rank(peak_bytes, sum(standing.values()))


def _over_data(part: Any, mesh: Any, plan: Plan) -> Any:
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    section = plan.sharding
    if section.data_degree == 1:
        return part
    if section.data == "replicated":
        return nn.parallel.DistributedDataParallel(
            part,
            process_group=mesh.get_group(),
            bucket_cap_mb=section.bucket_mib,
            gradient_as_bucket_view=section.bucket_view,
        )
    policy = MixedPrecisionPolicy()
    if plan.precision == "bf16_mixed":
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for unit in (*part.blocks, part):
        fully_shard(
            unit, mesh=mesh, reshard_after_forward=section.data == "zero_3", mp_policy=policy
        )
    return part
