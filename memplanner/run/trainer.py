"""The training loop of a run: real steps of the prepared model, each watched storage by storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from memplanner.estimate.curve import step_curve
from memplanner.estimate.moments import Lives, by_phase, categories
from memplanner.messages.run import RunFigures
from memplanner.model.loaded import Batch
from memplanner.run.allocator_truth import (
    AllocatorPeak,
    watch_cpu_allocator,
    watch_cuda_allocator,
)
from memplanner.run.failure import FaultWatch
from memplanner.run.sampler import Position
from memplanner.tape.steady import Ownership, steady_tape
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.prepare import Prepared, cast_batch
from memplanner.techniques.step import Backend, Held, run_step
from memplanner.techniques.updates_in_backward import UpdatesInBackward


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one optimizer step did and took."""

    loss: float
    seconds: float
    peak_bytes: int
    """The highest sum of tensors; on CUDA what the allocator counted."""
    watch: StorageWatch
    owned: Ownership
    new_tensors_bytes: int
    """The highest sum of the tensors that were made in the step."""
    allocator: AllocatorPeak | None
    """None on the CPU in a step that was not profiled."""


@dataclass(slots=True)
class Trainer:
    """Runs steps one by one; ``position`` says where it is."""

    prepared: Prepared
    backend: Backend
    data: Iterator[Batch]
    device: torch.device
    position: Position
    held: Held = field(default_factory=Held)

    def run(self, *, profiled: bool = False) -> StepResult:
        """One step. ``profiled`` also reads the CPU allocator's own account of it."""
        watch = FaultWatch(self.prepared.module)
        owned = Ownership(watch)
        if isinstance(self.prepared.optimizer, UpdatesInBackward):
            self.prepared.optimizer.around = owned.updating
        with ExitStack() as stack:
            stack.enter_context(watch)
            self._note_standing(watch, owned)
            standing = len(watch.size_bytes)
            self.position.watch = watch
            allocator = stack.enter_context(self._allocator(profiled))
            started = perf_counter()
            losses: list[float] = []
            for loss in run_step(
                self.prepared, self._batches(owned), self.backend, watch, self.held
            ):
                losses.append(float(loss))
                del loss  # it shares its storage with what the loop lets go of
                owned.note_gradients(self.prepared.module)
            owned.note_states(self.prepared.optimizer)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            mean = sum(losses) / len(losses)
            seconds = perf_counter() - started
        peak_bytes = _highest(watch)
        if allocator is not None and allocator.allocated_bytes is not None:
            peak_bytes = allocator.allocated_bytes
        return StepResult(
            loss=mean,
            seconds=seconds,
            peak_bytes=peak_bytes,
            watch=watch,
            owned=owned,
            new_tensors_bytes=_highest(watch, first=standing),
            allocator=allocator,
        )

    def _allocator(self, profiled: bool) -> AbstractContextManager[AllocatorPeak | None]:
        if self.device.type == "cuda":
            return watch_cuda_allocator(self.device)
        return watch_cpu_allocator() if profiled else nullcontext()

    def _note_standing(self, watch: StorageWatch, owned: Ownership) -> None:
        """Notes what is there before the step."""
        watch.phase("load", 0)
        owned.note_module(self.prepared.module)
        owned.note_gradients(self.prepared.module)
        owned.note_states(self.prepared.optimizer)
        for leaf in _tensors((self.held.output, self.held.loss)):
            watch.see(leaf, "output of the last step")

    def _batches(self, owned: Ownership) -> Iterator[Batch]:
        """The micro-batches of a step, one alive at a time."""
        count = self.prepared.plan.training.gradient_accumulation_steps
        given: Batch = {}
        for _ in range(count):
            given.clear()  # the loop that was given it still refers to it
            # what the data made is not held beside what it was cast to
            given.update(cast_batch(next(self.data), self.prepared.plan))
            owned.note_inputs(_tensors(given))
            yield given


def measured_figures(result: StepResult, *, device_bytes: int | None) -> RunFigures:
    """What a steady step took: tensors by category, and what kernels took beside as workspaces.

    On CUDA that holds the allocator's rounding as well.
    """
    peak = result.allocator or AllocatorPeak()
    on_cpu = peak.allocated_bytes is None
    # sorted by the same code as a prediction
    phases = range(1, len(result.watch.phases))
    tape = steady_tape(result.watch, result.owned, phases, on_cpu=on_cpu)
    event = int(tape.curve_bytes.argmax())
    parts = categories(tape, Lives.of(tape).alive(event))
    tensors = parts.total_bytes
    workspaces = 0
    if peak.allocated_bytes is not None:
        workspaces = max(peak.allocated_bytes - tensors, 0)
    elif peak.new_bytes is not None:
        workspaces = max(peak.new_bytes - result.new_tensors_bytes, 0)
    curve, curve_phases = step_curve(tape)
    return RunFigures(
        allocated_bytes=tensors + workspaces,
        reserved_bytes=peak.reserved_bytes,
        device_bytes=device_bytes,
        phase=tape.phase_at(event),
        by_category=parts.model_copy(update={"workspaces": parts.workspaces + workspaces}),
        by_phase=by_phase(tape),
        curve_bytes=curve,
        curve_phases=curve_phases,
    )


def _highest(watch: StorageWatch, *, first: int = 0) -> int:
    """The highest sum of the storages that are numbered from ``first`` on."""
    live = highest = 0
    for event in watch.events:
        index = abs(event) - 1
        if index >= first:
            live += watch.size_bytes[index] if event > 0 else -watch.size_bytes[index]
            highest = max(highest, live)
    return highest


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))
