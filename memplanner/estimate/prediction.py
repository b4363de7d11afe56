"""The prediction: what a training step of a model under a plan takes on a device."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from memplanner.estimate.curve import highest_in_stretches, step_curve, timeline
from memplanner.estimate.deepspeed import beside_states, states_of
from memplanner.estimate.layers import layers_at
from memplanner.estimate.module_detail import module_detail
from memplanner.estimate.moments import (
    Lives,
    by_phase,
    categories,
)
from memplanner.estimate.notes import notes_on
from memplanner.estimate.on_device import REPLAYED_KINDS, OnDevice
from memplanner.estimate.parts import parts_at
from memplanner.estimate.peak import PredictedPeak
from memplanner.estimate.traffic import traffic
from memplanner.hardware.catalogue import card_of
from memplanner.messages.base import SCHEMA
from memplanner.messages.cost import Quality, StepTime
from memplanner.messages.device import Device
from memplanner.messages.estimate import (
    AllocationFailure,
    AllocatorFigures,
    DeviceFigures,
    Estimate,
    Layer,
    ModelInfo,
    ModuleDetail,
    Moment,
    OverheadRow,
    Part,
    Phase,
    RankFigures,
    Timeline,
    Traffic,
    Verdict,
)
from memplanner.messages.run import RunFigures
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.tape import Tape
from memplanner.techniques.quality import quality_of

if TYPE_CHECKING:
    from memplanner.estimate.over_ranks import OverRanks

_LONG_REPLAY_EVENTS = 2_000
"""Of a step: about what the rest takes to be read meanwhile."""


class Prediction:
    """An estimate whose parts are computed when asked for; its attributes are the JSON's names."""

    schema = SCHEMA

    def __init__(
        self,
        model: Model,
        plan: Plan,
        device: Device,
        tape: Tape,
        *,
        exact: Callable[[], Tape],
        prepare_changes: Callable[[], None],
        on_device: Callable[[Tape, int], OnDevice],
        method: str,
        time: Callable[[int], StepTime | None],
        stated_seconds: Callable[[int], float | None],
        judged: float | None,
        notes: tuple[str, ...],
        seconds: float,
    ) -> None:
        self._whole, self._on_device, self._notes = tape, on_device, notes
        self._time, self._stated_seconds, self._judged = time, stated_seconds, judged
        whole = tape.curve_bytes
        # What kernels take while they run is told apart from tensors, as measurements do.
        tape, self._scratch_event = tape.without_scratch(), int(whole.argmax())
        self._model, self._tape, self._exact = model, tape, exact
        self.prepare_changes = prepare_changes
        """Records what later changes of batch and sequence need, for idle moments."""
        self.plan, self.device, self.method, self.seconds = plan, device, method, seconds
        self.rank = 0
        self.over: OverRanks | None = None
        """The other ranks of a sharded plan."""
        self._curve = whole if tape is self._whole else tape.curve_bytes
        self.peak_event = int(self._curve.argmax())
        self.scratch_bytes = int(whole[self._scratch_event] - self._curve[self.peak_event])

    @cached_property
    def _lives(self) -> Lives:
        return Lives.of(self._tape)

    @cached_property
    def model(self) -> ModelInfo:
        """What was opened, with the parameters that the plan leaves and trains."""
        trainable = self._tape.numel[self._tape.trainable]
        return self._model.info().model_copy(
            update={
                "parameters": int(self._tape.numel.sum()),
                "trainable_parameters": int(trainable.sum()),
            }
        )

    @property
    def trained_sizes(self) -> tuple[int, ...]:
        """Elements that this rank has of each parameter that it trains."""
        tape = self._tape
        trained = np.flatnonzero(tape.trainable & (tape.numel > 0))
        return tuple(prod(tape.storages[tape.source[place]].shape) for place in trained.tolist())

    @property
    def module_names(self) -> tuple[str, ...]:
        """The paths of the modules that this rank has."""
        return self._tape.module_names

    @property
    def parameters_only(self) -> bool:
        """Whether the source names parameters but no forward."""
        return self._model.parameters_only

    @cached_property
    def peak(self) -> PredictedPeak:
        """The highest moment of the step."""
        tape, event = self._tape, self.peak_event
        parts = categories(tape, self._lives.alive(event))
        workspaces = parts.workspaces + self.scratch_bytes
        return PredictedPeak(
            allocated_bytes=int(self._curve[event]) + self.scratch_bytes,
            phase=tape.phase_at(event),
            module=tape.module_names[int(tape.context[event])],
            by_category=parts.model_copy(update={"workspaces": workspaces}),
            on_device=lambda: self.on_device,
        )

    @cached_property
    def on_device(self) -> OnDevice:
        """What the allocator and the device make of the step: computed when first asked for."""
        return self._on_device(self._whole, self.peak.allocated_bytes)

    @cached_property
    def host_bytes(self) -> int | None:
        """The most that the plan puts into one host's memory; None where it puts nothing there."""
        offload = self.plan.offload
        section = self.plan.sharding
        away = section.deepspeed and {section.offload_optimizer, section.offload_parameters}
        here = {self.plan.activation_offload.to, offload.optimizer, offload.parameters}
        if "host" not in here and not (away and away != {"none"}):
            return None
        return self._exact().host_peak_bytes * section.cards_per_node

    @cached_property
    def traffic(self) -> tuple[Traffic, ...]:
        """What this rank sends to others in an optimizer step; empty on one card."""
        section = self.plan.sharding
        if section.ranks == 1:
            return ()
        # What model-parallel cards send grows with the batch, what others do does not.
        grows = section.tensor * section.pipeline * section.context * section.expert > 1
        tape = self._exact() if grows else self._tape
        accumulation = self.plan.training.gradient_accumulation_steps
        return traffic(tape, section, accumulation, card_of(self.device))

    @cached_property
    def time(self) -> StepTime | None:
        """How long an optimizer step takes; None where the device's rates are not known."""
        return self._time(self.rank)

    @property
    def stated_seconds(self) -> float | None:
        """The same by a data sheet alone, of a CPU by stand-ins: to hold timed steps against."""
        return self._stated_seconds(self.rank)

    @cached_property
    def quality(self) -> Quality:
        """The risk that the plan takes with what is learned."""
        return quality_of(self.plan, self._judged)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Each module's own bytes at the peak; the rows add up to ``peak.by_category``."""
        module = self._tape.module_names[int(self._tape.context[self._scratch_event])]
        return tuple(
            row.model_copy(update={"workspaces_bytes": row.workspaces_bytes + self.scratch_bytes})
            if row.name == module and self.scratch_bytes
            else row
            for row in self.layers_at("peak")
        )

    def layers_at(self, moment: Moment) -> tuple[Layer, ...]:
        """Each module's own bytes at another moment."""
        return layers_at(self._tape, self._lives, moment, self.peak_event)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Teacher, student and their logits at the peak; empty where nothing is distilled."""
        module = self._tape.module_names[int(self._tape.context[self._scratch_event])]
        alive = self._lives.alive(self.peak_event)
        return parts_at(self._tape, alive, self.scratch_bytes, module)

    @cached_property
    def states(self) -> tuple[Part, ...]:
        """DeepSpeed's estimate of model states, and what leads from it to the peak."""
        section = self.plan.sharding
        if not section.deepspeed:
            return ()
        layers = np.bincount(self._tape.module, weights=self._tape.numel).astype(np.int64)
        estimated = states_of(section, int(self._tape.numel.sum()), int(layers.max(initial=0)))
        return () if estimated is None else beside_states(estimated, self.peak.by_category)

    @property
    def ranks(self) -> tuple[RankFigures, ...]:
        """All ranks of a sharded plan; empty on one card."""
        return () if self.over is None else self.over.figures()

    @cached_property
    def timeline(self) -> Timeline:
        """The step as a curve."""
        return timeline(self._tape, self.peak_event)

    @property
    def verdict(self) -> Verdict | None:
        """Whether the step fits: a promise for the margin's high end. None: memory not known."""
        return self.on_device.verdict

    @property
    def overhead(self) -> tuple[OverheadRow, ...]:
        """What the device holds beside torch's allocator."""
        return self.on_device.overhead

    @cached_property
    def allocator(self) -> AllocatorFigures | None:
        """What torch's allocator is where reserved memory is highest; None if not modelled."""
        replayed, failure = self.on_device.replayed, self.on_device.failure
        if replayed is None:
            return None
        tape = self._whole
        return AllocatorFigures(
            segments=replayed.peak.segments,
            inactive_split_bytes=replayed.peak.inactive_split_bytes,
            fragmentation=replayed.peak.fragmentation,
            steps=replayed.steps,
            retries=replayed.retries,
            fails=None
            if failure is None
            else AllocationFailure(
                step=failure.step,
                phase=tape.phase_at(failure.event),
                module=tape.module_names[int(tape.context[failure.event])],
                requested_bytes=failure.requested_bytes,
            ),
        )

    @property
    def spare_bytes(self) -> int | None:
        """Memory that the device has left over at the expected peak; negative: what is missing."""
        known = self.on_device
        if known.capacity_bytes is None:
            return None
        if known.device is not None:
            return known.capacity_bytes - known.device.expected_bytes
        return known.capacity_bytes - self.device.used_bytes - self.peak.allocated_bytes

    @property
    def fits(self) -> bool | None:
        """Whether the verdict is ``fits``."""
        verdict = self.verdict
        return None if verdict is None else verdict == "fits"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the number does not cover, and what the model made of the plan."""
        return (
            *self._model.notes, *self._tape.notes, *self._notes, *notes_on(self._model, self)
        )  # fmt: skip

    def figures(self) -> RunFigures:
        """What a run is held against."""
        curve, phases = step_curve(self._tape)
        return RunFigures(
            allocated_bytes=self.peak.allocated_bytes,
            reserved_bytes=self.peak.reserved_bytes,
            device_bytes=self.peak.device_bytes,
            phase=self.peak.phase,
            by_category=self.peak.by_category,
            by_phase=by_phase(self._tape),
            curve_bytes=curve,
            curve_phases=phases,
        )

    def by_phase(self) -> dict[Phase, int]:
        """The highest allocated in each phase, kernels' scratch not counted."""
        return by_phase(self._tape)

    def reserved_by_phase(self) -> dict[Phase, int]:
        """The highest that torch's allocator reserves in each phase; empty where not modelled."""
        replayed = self.on_device.replayed
        if replayed is None:
            return {}
        curve = replayed.step_reserved_bytes
        highest: dict[Phase, int] = {}
        for span in self._whole.phases:
            if span.stop > span.start:
                reached = int(curve[span.start : span.stop].max())
                highest[span.phase] = max(highest.get(span.phase, 0), reached)
        return highest

    def message(self) -> Estimate:
        """Everything, as it is printed and sent."""
        return self.device_figures().added_to(self.first_message())

    def device_figures(self) -> DeviceFigures:
        """What the allocator and the device make of it."""
        return DeviceFigures(
            peak=self.peak.message(),
            reserved_bytes=self._reserved_along_timeline(),
            fits=self.fits,
            spare_bytes=self.spare_bytes,
            verdict=self.verdict,
            overhead=self.overhead,
            allocator=self.allocator,
            host_bytes=self.host_bytes,
            ranks=self.ranks,
            traffic=self.traffic,
            time=self.time,
            notes=self.notes,
        )

    def _reserved_along_timeline(self) -> tuple[int, ...]:
        """What is reserved along the step's curve; empty where that is not modelled."""
        replayed = self.on_device.replayed
        if replayed is None:
            return ()
        # The replay's events are those of the tape with scratch, which leaves none out.
        return highest_in_stretches(replayed.step_reserved_bytes)

    @property
    def device_takes_long(self) -> bool:
        """Whether what the device shows is still to be computed, and takes more than a moment."""
        if "on_device" in vars(self):
            return False
        replayed = self.device.kind in REPLAYED_KINDS
        return replayed and len(self._whole.events) > _LONG_REPLAY_EVENTS

    def first_message(self) -> Estimate:
        """Everything but what the allocator and the device make of it."""
        return Estimate(
            model=self.model,
            device=self.device,
            plan=self.plan,
            peak=self.peak.first_message(),
            layers=self.layers,
            timeline=self.timeline,
            fits=None,
            spare_bytes=None,
            method=self.method,
            notes=(),
            seconds=self.seconds,
            rank=self.rank,
            ranks=() if self.over is None else self.over.first_figures(),
            states=self.states,
            parts=self.parts,
            time=None if self.plan.sharding.deepspeed else self.time,  # of that another recording
            quality=self.quality,
        )

    def describe(self, name: str) -> ModuleDetail:
        """The module at ``name`` with all that is below it. Raises ``KeyError`` for no module."""
        tape = self._exact().without_scratch()
        detail = module_detail(tape, name)
        alike = next(row.alike for row in self.layers if row.name == name)
        trains = self.plan.inference.use == "training"
        return detail.model_copy(update={"alike": alike, "trains": trains})
