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
from memplanner.messages.estimate import Categories
from memplanner.messages.run import RunFigures
from memplanner.model.loaded import Batch
from memplanner.run.allocator_truth import (
    AllocatorPeak,
    watch_cpu_allocator,
    watch_cuda_allocator,
)
from memplanner.run.compiled_step import compiled_figures, phases, standing_categories
from memplanner.run.failure import FaultWatch
from memplanner.run.sampler import Position
from memplanner.tape.ranks import watching_shards
from memplanner.tape.steady import Ownership, steady_tape
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.host_updates import HostUpdates
from memplanner.techniques.prepare import Prepared, cast_batch
from memplanner.techniques.step import Backend, Held, Observer, run_step
from memplanner.techniques.updates_in_backward import UpdatesInBackward


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one optimizer step did and took."""

    loss: float | None
    """None on a rank that holds no last stage of a pipeline."""
    seconds: float
    peak_bytes: int
    """The highest sum of tensors; on CUDA what the allocator counted."""
    watch: StorageWatch
    owned: Ownership
    new_tensors_bytes: int
    """The highest sum of the tensors that were made in the step."""
    allocator: AllocatorPeak | None
    """None on the CPU in a step that was not profiled."""
    terms: dict[str, float] = field(default_factory=dict)
    """The terms of the loss, before they are weighed; empty where there is but one."""
    first_phase: int = 1
    """Of the step, in ``watch.phases``."""
    stop_phase: int | None = None
    """The first that no longer is; None where the step was the watch's last."""
    standing: Categories | None = None
    """What stood before a compiled step, of whose own storages none is seen; None for others."""


@dataclass(slots=True)
class Trainer:
    """Runs steps one by one; ``position`` says where it is."""

    prepared: Prepared
    backend: Backend
    data: Iterator[Batch]
    device: torch.device
    position: Position
    lasting: bool = False
    """Whether one watch sees all steps: then it knows what torch's parallel code made in an earlier
    one and nobody names, such as the buckets of gradients."""
    held: Held = field(default_factory=Held)
    _seen: Ownership | None = None

    def run(self, *, profiled: bool = False) -> StepResult:
        """One step. ``profiled`` also reads the CPU allocator's own account of it."""
        owned = self._seen or Ownership(FaultWatch(self.prepared.module))
        new, watch = self._seen is None, owned.watch
        assert isinstance(watch, FaultWatch)
        if self.lasting:
            self._seen = owned
        before, first_phase = len(watch.events), len(watch.phases) + 1
        if isinstance(self.prepared.optimizer, UpdatesInBackward):
            self.prepared.optimizer.around = owned.updating
        if isinstance(self.prepared.optimizer, HostUpdates):
            self.prepared.optimizer.moving = owned.note_gradient
        with ExitStack() as stack:
            observer: Observer = watch
            if self._compiled:  # torch compiles nothing while a mode is on
                observer = stack.enter_context(phases(watch))
            else:
                stack.enter_context(watch)
            if self.lasting or self.prepared.plan.offload.parameters == "host":
                stack.enter_context(watching_shards(watch))
            self._note_standing(watch, owned, new=new)
            standing = len(watch.size_bytes)
            before_step = standing_categories(watch, owned) if self._compiled else None
            self.position.watch = watch
            allocator = stack.enter_context(self._allocator(profiled))
            started = perf_counter()
            losses: list[float] = []
            terms: dict[str, list[float]] = {}
            for loss in run_step(
                self.prepared, self._batches(owned), self.backend, observer, self.held
            ):
                losses.append(float(loss))
                self._note_terms(terms)
                del loss  # it shares its storage with what the loop lets go of
                owned.note_gradients(self.prepared.module)
            owned.note_states(self.prepared.optimizer)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            mean = sum(losses) / len(losses) if losses else None
            seconds = perf_counter() - started
        peak_bytes = highest_of(watch, since=before)
        if allocator is not None and allocator.allocated_bytes is not None:
            peak_bytes = allocator.allocated_bytes
        elif before_step is not None and allocator is not None:
            peak_bytes = before_step.total_bytes + (allocator.new_bytes or 0)
        return StepResult(
            loss=mean,
            seconds=seconds,
            peak_bytes=peak_bytes,
            watch=watch,
            owned=owned,
            new_tensors_bytes=highest_of(watch, first=standing),
            allocator=allocator,
            terms={name: sum(values) / len(values) for name, values in terms.items()},
            first_phase=first_phase,
            stop_phase=len(watch.phases),
            standing=before_step,
        )

    @property
    def _compiled(self) -> bool:
        return self.prepared.plan.compilation.mode != "none"

    def _note_terms(self, terms: dict[str, list[float]]) -> None:
        """Adds what the last micro-batch's loss was the sum of, where its output says so."""
        output = self.held.output
        if isinstance(output, dict):
            for name, term in (output.get("terms") or {}).items():
                terms.setdefault(name, []).append(float(term))
            output = None

    def _allocator(self, profiled: bool) -> AbstractContextManager[AllocatorPeak | None]:
        if self.device.type == "cuda":
            return watch_cuda_allocator(self.device)
        return watch_cpu_allocator() if profiled or self._compiled else nullcontext()

    def _note_standing(self, watch: StorageWatch, owned: Ownership, *, new: bool) -> None:
        """Notes what is there before the step; a ``new`` watch has not seen the module."""
        watch.phase("load", 0)
        if new:
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
    if result.standing is not None:
        return compiled_figures(result.standing, peak, device_bytes=device_bytes)
    on_cpu = peak.allocated_bytes is None
    # sorted by the same code as a prediction
    phases = range(result.first_phase, result.stop_phase or len(result.watch.phases))
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


def highest_of(watch: StorageWatch, *, first: int = 0, since: int = 0) -> int:
    """The highest sum, from event ``since`` on, of storages that are numbered from ``first`` on."""
    live = highest = 0
    for number, event in enumerate(watch.events):
        index = abs(event) - 1
        if index >= first:
            live += watch.size_bytes[index] if event > 0 else -watch.size_bytes[index]
        if number >= since:
            highest = max(highest, live)
    return highest


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))
