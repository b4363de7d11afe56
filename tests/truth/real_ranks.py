"""Real sharded training steps on CPU ranks (gloo), written plainly with torch and transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist

from memplanner.plan import Plan
from tests.rank_world import on_ranks
from tests.truth.ground_truth import Births
from tests.truth.rank_models import MODELS
from tests.truth.real_step import loss_of
from tests.truth.split_ranks import split

STEADY_STEPS = range(2, 6)
"""How many are measured. The lowest peak counts: gloo's own thread may hold what it sends a little
longer, never less. So there are more than the first only while some rank is above what is expected.
"""


@dataclass(frozen=True)
class Rank:
    """What one rank measured in a steady step."""

    peak_bytes: int
    standing_bytes: int
    """Parameters and optimizer state between steps."""


class RankBirths(Births):
    """Births that look inside tensors over many ranks, and see storages that change their size."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(kind.__module__.startswith("torch.distributed.") for kind in types):
            return NotImplemented
        if func is torch.ops.aten.split.Tensor and self.number_of(args[0]) is None:
            return func(*args, **(kwargs or {}))  # gloo's own copy of what it reduces
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _see(self, tensor: torch.Tensor, operation: str) -> int:
        return super()._see(_local(tensor), operation)

    @contextmanager
    def resizes(self) -> Iterator[None]:
        """Inside it, a storage that is resized counts as it is."""
        resize = torch.UntypedStorage.resize_

        def resized(storage: torch.UntypedStorage, size: int) -> Any:
            before, result = storage.nbytes(), resize(storage, size)
            if storage._cdata in self._alive:
                self.change_bytes[storage._cdata] = (
                    self.change_bytes.get(storage._cdata, 0) + storage.nbytes() - before
                )
                self.live_bytes += storage.nbytes() - before
                self.highest_bytes = max(self.highest_bytes, self.live_bytes)
            return result

        self.change_bytes: dict[int, int] = {}
        with patch.object(torch.UntypedStorage, "resize_", resized):
            yield


def _local(tensor: torch.Tensor) -> torch.Tensor:
    """What has memory here of a tensor over many ranks, or of one that is under way."""
    local: torch.Tensor = getattr(tensor, "_local_tensor", tensor)
    inner: torch.Tensor = getattr(local, "elem", local)
    return inner


@dataclass(frozen=True)
class Case:
    """A step to measure; ``build`` is a name in ``rank_models.MODELS``."""

    model: str
    plan: Plan


def measure_ranks(case: Case, expected_bytes: Sequence[int]) -> list[Rank]:
    """A steady step on CPU ranks, by rank; ``expected_bytes`` says when steps are enough."""
    return on_ranks(case.plan.sharding.ranks, _measured, case, expected_bytes)


def _measured(rank: int, case: Case, expected_bytes: Sequence[int]) -> Rank:
    if case.plan.sharding.pipeline > 1:
        from tests.truth.real_pipeline import measure_pipeline  # which measures as this does

        return measure_pipeline(case.model, case.plan, expected_bytes[rank])
    small = MODELS[case.model]
    module = _planned(small.build().train(), case.plan)
    optimizer = _optimizer(module, case.plan)
    batch = small.batch(case.plan)
    return _measure(module, optimizer, batch, case.plan, expected_bytes[rank])


def _planned(module: Any, plan: Plan) -> Any:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    from torch.nn.parallel import DistributedDataParallel

    section = plan.sharding
    stored = {"bf16": torch.bfloat16}.get(plan.precision, torch.float32)
    module = module.to(stored)
    if plan.activation_checkpointing.policy == "full":
        module.activation_checkpointing_enable({"use_reentrant": False})
    if section.context > 1:
        from tests.truth.context_ranks import over_context

        return over_context(module, plan)
    if plan.adapters.method == "lora":
        from peft import LoraConfig, inject_adapter_in_model

        module.requires_grad_(False)
        names = list(plan.adapters.target_modules)
        inject_adapter_in_model(LoraConfig(r=plan.adapters.rank, target_modules=names), module)
    if section.tensor > 1 or section.expert > 1:
        return split(module, plan)
    if section.data in {"zero_2", "zero_3"}:
        replicas, free = section.replicas, section.data == "zero_3"
        shape = (section.ranks,) if replicas == 1 else (replicas, section.ranks // replicas)
        names = ("replicas", "shards")[-len(shape) :]
        mesh = init_device_mesh("cpu", shape, mesh_dim_names=names)
        policy = MixedPrecisionPolicy()
        if plan.precision == "bf16_mixed":
            policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        for part in list(module.modules()):
            if isinstance(part, torch.nn.ModuleList) and len(part) > 1:
                for block in part:
                    fully_shard(block, mesh=mesh, reshard_after_forward=free, mp_policy=policy)
        fully_shard(module, mesh=mesh, reshard_after_forward=free, mp_policy=policy)
        return module
    return DistributedDataParallel(
        module,
        bucket_cap_mb=section.bucket_mib,
        gradient_as_bucket_view=section.bucket_view,
        static_graph=section.static_graph,
    )


def _optimizer(module: Any, plan: Plan) -> Any:
    options: dict[str, Any] = {"lr": 1e-5, "weight_decay": 0.01, "foreach": False}
    if plan.sharding.data == "zero_1":
        from torch.distributed.optim import ZeroRedundancyOptimizer

        return ZeroRedundancyOptimizer(
            module.parameters(), torch.optim.AdamW, process_group=module.process_group, **options
        )
    return torch.optim.AdamW(module.parameters(), **options)


def _measure(
    module: Any, optimizer: Any, batch: dict[str, Any], plan: Plan, expected_bytes: int
) -> Rank:
    from torch.distributed.tensor.parallel import loss_parallel

    micro_batches = plan.training.gradient_accumulation_steps
    last_only = plan.sharding.reduction == "last_micro_batch"
    autocast = (
        torch.autocast("cpu", dtype=torch.bfloat16)
        if plan.precision == "bf16_mixed" and plan.sharding.data in {"replicated", "zero_1"}
        else nullcontext()
    )

    over_parts: Any = loss_parallel if plan.sharding.loss_parallel else nullcontext

    def step() -> None:
        for number in range(micro_batches):
            last = number == micro_batches - 1
            if last_only and hasattr(module, "set_requires_gradient_sync"):
                module.set_requires_gradient_sync(last)
            quiet = last_only and not last and hasattr(module, "no_sync")
            with module.no_sync() if quiet else nullcontext(), over_parts():
                with autocast:
                    loss = loss_of(module(**batch))
                watch.in_backward = True
                (loss / micro_batches if micro_batches > 1 else loss).backward()
                watch.in_backward = False
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    watch = RankBirths([])
    # whole steps, from the first: buckets that a second one makes anew are then seen as well
    with watch, watch.resizes():
        for tensor in _standing(module, optimizer, batch):
            watch._see(tensor, "standing")
        step()
        step()
    peak_bytes = steady_peak_bytes(watch, step, expected_bytes)
    standing = {
        _local(tensor).untyped_storage()._cdata: _local(tensor).untyped_storage().nbytes()
        for tensor in _standing(module, optimizer, {})
    }
    return Rank(peak_bytes, sum(standing.values()))


def steady_peak_bytes(watch: RankBirths, step: Callable[[], None], expected_bytes: int) -> int:
    """The lowest peak of ``STEADY_STEPS``: no more once every rank had one as low as expected."""
    peaks_bytes: list[int] = []
    while len(peaks_bytes) < STEADY_STEPS.stop - 1:
        watch.highest_bytes = watch.live_bytes
        with watch, watch.resizes():
            step()
        peaks_bytes.append(watch.highest_bytes)
        enough = len(peaks_bytes) >= STEADY_STEPS.start and min(peaks_bytes) <= expected_bytes
        if _all_say(enough):
            break
    return min(peaks_bytes)


def _all_say(yes: bool) -> bool:
    """Whether every rank does; asked outside the watch, which would count what is sent."""
    least = torch.tensor(int(yes))
    dist.all_reduce(least, dist.ReduceOp.MIN)
    return bool(least)


def _standing(module: Any, optimizer: Any, batch: dict[str, Any]) -> list[torch.Tensor]:
    inner = getattr(optimizer, "optim", optimizer)
    tensors = [*module.parameters(), *module.buffers()]
    tensors += [value for value in batch.values() if isinstance(value, torch.Tensor)]
    for state in inner.state.values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return tensors
