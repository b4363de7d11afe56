"""The training loop of a run: real steps of the prepared model, each watched storage by storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from memplanner.estimate.curve import step_curve
from memplanner.estimate.moments import Lives, by_phase, categories
from memplanner.messages.estimate import Categories
from memplanner.messages.run import RunFigures
from memplanner.model.loaded import Batch
from memplanner.run.allocator_truth import AllocatorPeak, watch_allocator
from memplanner.tape.steady import Ownership, steady_tape
from memplanner.tape.tape import Tape
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.prepare import Prepared, cast_batch
from memplanner.techniques.step import Backend, Held, run_step


@dataclass(slots=True)
class StepResult:
    """What one optimizer step did and took."""

    loss: float
    seconds: float
    peak_bytes: int
    watch: StorageWatch
    owned: Ownership
    allocator_peak_bytes: int | None = None


@dataclass(slots=True)
class Trainer:
    """Runs steps one by one; ``watch`` and ``step`` say where it is."""

    prepared: Prepared
    backend: Backend
    data: Iterator[Batch]
    watch: StorageWatch | None = None
    step: int = 0
    held: Held = field(default_factory=Held)

    def run(self, *, profiled: bool = False) -> StepResult:
        """One step. ``profiled`` also reads the CPU allocator's own account of it."""
        watch = StorageWatch(self.prepared.module)
        owned = Ownership(watch)
        started = perf_counter()
        losses: list[torch.Tensor] = []
        allocator: AllocatorPeak | None = None
        with ExitStack() as stack:
            stack.enter_context(watch)
            standing = self._note_standing(watch, owned)
            self.watch = watch
            if profiled:
                allocator = stack.enter_context(watch_allocator())
            batches = self._batches(owned)
            for loss in run_step(self.prepared, batches, self.backend, watch, self.held):
                losses.append(loss)
                owned.note_gradients(self.prepared.module)
            owned.note_states(self.prepared.optimizer)
        loss_value = sum(float(loss) for loss in losses) / len(losses)
        return StepResult(
            loss=loss_value,
            seconds=perf_counter() - started,
            peak_bytes=_highest(watch),
            watch=watch,
            owned=owned,
            allocator_peak_bytes=None
            if allocator is None
            else standing + allocator.above_start_bytes,
        )

    def _note_standing(self, watch: StorageWatch, owned: Ownership) -> int:
        """Notes what is there before the step; its bytes."""
        watch.phase("load", 0)
        owned.note_module(self.prepared.module)
        owned.note_gradients(self.prepared.module)
        owned.note_states(self.prepared.optimizer)
        for leaf in _tensors((self.held.output, self.held.loss)):
            watch.see(leaf, "output of the last step")
        return watch.live_bytes

    def _batches(self, owned: Ownership) -> Iterator[Batch]:
        """The micro-batches of a step, one alive at a time."""
        count = self.prepared.plan.training.gradient_accumulation_steps
        for batch in islice(self.data, count):
            given = cast_batch(batch, self.prepared.plan)
            owned.note_inputs(_tensors(given))
            yield given


def measured_figures(result: StepResult, *, on_cpu: bool, device_bytes: int | None) -> RunFigures:
    """What a steady step took: tensors by category, and kernels' scratch as workspaces."""
    tape = steady(result, on_cpu=on_cpu)
    event = int(tape.curve_bytes.argmax())
    parts = categories(tape, Lives.of(tape).alive(event))
    tensors = parts.total_bytes
    scratch = max((result.allocator_peak_bytes or 0) - tensors, 0)
    curve, phases = step_curve(tape)
    return RunFigures(
        allocated_bytes=tensors + scratch,
        device_bytes=device_bytes,
        phase=tape.phase_at(event),
        by_category=Categories(**{**parts.model_dump(), "workspaces": scratch}),
        by_phase=by_phase(tape),
        curve_bytes=curve,
        curve_phases=phases,
    )


def steady(result: StepResult, *, on_cpu: bool) -> Tape:
    """The tape of the step, sorted by the same code as a prediction."""
    keep = range(1, len(result.watch.phases))
    return steady_tape(result.watch, result.owned, keep, on_cpu=on_cpu)


def _highest(watch: StorageWatch) -> int:
    live = highest = 0
    for event in watch.events:
        size = watch.size_bytes[abs(event) - 1]
        live += size if event > 0 else -size
        highest = max(highest, live)
    return highest


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))
