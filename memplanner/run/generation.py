"""Real uses of a prepared model, each watched storage by storage: generations, or forwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch.nn.attention import sdpa_kernel
from torch.utils._pytree import tree_leaves

from memplanner.messages.estimate import Phase
from memplanner.model.loaded import Batch
from memplanner.run.allocator_truth import (
    AllocatorPeak,
    watch_cpu_allocator,
    watch_cuda_allocator,
)
from memplanner.run.backend import KERNELS
from memplanner.run.failure import FaultWatch
from memplanner.run.sampler import Position
from memplanner.run.trainer import StepResult, highest_of
from memplanner.tape.steady import Ownership
from memplanner.tape.tape import KV_CACHE
from memplanner.techniques.generating.loop import (
    cached_tensors,
    generate,
    model_inputs,
    run_forward,
)
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.prepare import Prepared, cast_batch


@dataclass(frozen=True, slots=True)
class Seen:
    """Tells the watch of phases, and whose storages are the cache's."""

    watch: FaultWatch
    owned: Ownership

    def phase(self, phase: Phase, number: int) -> None:
        """A phase begins."""
        self.watch.phase(phase, number)

    def cache(self, cache: Any) -> None:
        """Claims every storage that the cache holds now."""
        for tensor in cached_tensors(cache):
            index = self.watch.index_of(tensor)
            if index is not None:
                self.owned.category.setdefault(index, KV_CACHE)


@dataclass(slots=True)
class User:
    """Uses the model again and again; ``position`` says where it is."""

    prepared: Prepared
    data: Iterator[Batch]
    device: torch.device
    position: Position

    @property
    def counts(self) -> int:
        """Tokens that one use writes, or samples that one forward takes."""
        plan = self.prepared.plan
        written = plan.inference.new_tokens if plan.inference.use == "generation" else 1
        return written * plan.training.batch_size

    def run(self, *, profiled: bool = False) -> StepResult:
        """One use; its result has no loss. ``profiled`` also reads the CPU allocator's account."""
        prepared = self.prepared
        watch = FaultWatch(prepared.module)
        owned = Ownership(watch)
        seen = Seen(watch, owned)
        with ExitStack() as stack:
            stack.enter_context(watch)
            watch.phase("load", 0)
            owned.note_module(prepared.module)
            section = prepared.plan.inference
            inputs = model_inputs(cast_batch(next(self.data), prepared.plan), section.use)
            owned.note_inputs(
                leaf for leaf in tree_leaves(inputs) if isinstance(leaf, torch.Tensor)
            )
            standing = len(watch.size_bytes)
            self.position.watch = watch
            allocator = stack.enter_context(self._allocator(profiled))
            started = perf_counter()
            if section.use == "forward":
                output = run_forward(prepared.module, inputs, self._context(), seen)
            else:
                output = generate(prepared.module, inputs, section, self._context(), seen)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            seconds = perf_counter() - started
            watch.phase("between_steps", 0)
            del output
        peak_bytes = highest_of(watch)
        if allocator is not None and allocator.allocated_bytes is not None:
            peak_bytes = allocator.allocated_bytes
        return StepResult(
            loss=float("nan"),
            seconds=seconds,
            peak_bytes=peak_bytes,
            watch=watch,
            owned=owned,
            new_tensors_bytes=highest_of(watch, first=standing),
            allocator=allocator,
        )

    def _context(self) -> AbstractContextManager[object]:
        """Autocast and the attention kernel, as the plan asks."""
        stack = ExitStack()
        dtype = autocast_type(self.prepared.plan)
        if dtype is not None:
            stack.enter_context(torch.autocast(self.device.type, dtype=dtype))
        kernel = KERNELS.get(self.prepared.plan.attention.kernel)
        if kernel is not None:
            stack.enter_context(sdpa_kernel(kernel))
        return stack

    def _allocator(self, profiled: bool) -> AbstractContextManager[AllocatorPeak | None]:
        if self.device.type == "cuda":
            return watch_cuda_allocator(self.device)
        return watch_cpu_allocator() if profiled else nullcontext()
