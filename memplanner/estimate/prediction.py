"""The prediction: what a training step of a model under a plan takes on a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from memplanner.estimate.curve import step_curve, timeline
from memplanner.estimate.layers import layers_at, rows, table_at
from memplanner.estimate.moments import (
    WIDTH,
    Lives,
    by_phase,
    categories,
    kept_for_backward,
)
from memplanner.messages.base import SCHEMA
from memplanner.messages.device import Device
from memplanner.messages.estimate import (
    Estimate,
    KeptTensor,
    Layer,
    ModelInfo,
    ModuleDetail,
    Moment,
    ParameterInfo,
    Peak,
    Timeline,
)
from memplanner.messages.run import RunFigures
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.tape import PARAMETERS, WORKSPACES, Tape
from memplanner.units import format_count


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
        method: str,
        seconds: float,
    ) -> None:
        whole = tape.curve_bytes
        # What kernels take while they run is told apart from tensors, as measurements do.
        tape, self._scratch_event = without_scratch(tape), int(whole.argmax())
        self._model, self._tape, self._exact = model, tape, exact
        self.prepare_changes = prepare_changes
        """Records what later changes of batch and sequence need, for idle moments."""
        self.plan, self.device, self.method, self.seconds = plan, device, method, seconds
        self._curve = tape.curve_bytes
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
    def parameters_only(self) -> bool:
        """Whether the source names parameters but no forward."""
        return self._model.parameters_only

    @cached_property
    def peak(self) -> Peak:
        """The highest moment of the step."""
        tape, event = self._tape, self.peak_event
        parts = categories(tape, self._lives.alive(event))
        return Peak(
            allocated_bytes=int(self._curve[event]) + self.scratch_bytes,
            reserved_bytes=None,
            device_bytes=None,
            phase=tape.phase_at(event),
            module=tape.module_names[int(tape.context[event])],
            by_category=parts.model_copy(update={"workspaces": self.scratch_bytes}),
        )

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Each module's own bytes at the peak; the rows add up to ``peak.by_category``."""
        module = self._tape.module_names[int(self._tape.context[self._scratch_event])]
        return tuple(
            row.model_copy(update={"workspaces_bytes": self.scratch_bytes})
            if row.name == module and self.scratch_bytes
            else row
            for row in self.layers_at("peak")
        )

    def layers_at(self, moment: Moment) -> tuple[Layer, ...]:
        """Each module's own bytes at another moment."""
        return layers_at(self._tape, self._lives, moment, self.peak_event)

    @cached_property
    def timeline(self) -> Timeline:
        """The step as a curve."""
        return timeline(self._tape, self.peak_event)

    @property
    def spare_bytes(self) -> int | None:
        """Free memory left over on the device; negative: what is missing."""
        free = self.device.free_bytes
        return None if free is None else free - self.peak.allocated_bytes

    @property
    def fits(self) -> bool | None:
        """Whether the peak fits into the device's free memory."""
        spare = self.spare_bytes
        return None if spare is None else spare >= 0

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the number does not cover, and what the model made of the plan."""
        notes = [*self._model.notes, *self._tape.notes]
        limit = self._model.max_sequence_length
        asked = self.plan.training.sequence_length
        if self._model.takes_sequence and limit is not None and asked > limit:
            notes.append(
                f"The model has positions for {format_count(limit)} tokens; "
                f"the estimate is for {format_count(limit)}, not {format_count(asked)}."
            )
        if self._model.parameters_only:
            notes.append("Activations are not covered: the source holds parameters only.")
        if self.device.kind == "cpu":
            notes.append(
                "Workspaces are what kernels took here when run once; calls too large to try "
                "are left out."
            )
        else:
            notes.append(
                "Allocated memory only: the CUDA context, library workspaces and what the "
                "allocator holds back come on top."
            )
        return tuple(notes)

    def figures(self) -> RunFigures:
        """What a run is held against."""
        curve, phases = step_curve(self._tape)
        return RunFigures(
            allocated_bytes=self.peak.allocated_bytes,
            phase=self.peak.phase,
            by_category=self.peak.by_category,
            by_phase=by_phase(self._tape),
            curve_bytes=curve,
            curve_phases=phases,
        )

    def message(self) -> Estimate:
        """Everything, as it is printed and sent."""
        return Estimate(
            model=self.model,
            device=self.device,
            plan=self.plan,
            peak=self.peak,
            layers=self.layers,
            timeline=self.timeline,
            fits=self.fits,
            spare_bytes=self.spare_bytes,
            method=self.method,
            notes=self.notes,
            seconds=self.seconds,
        )

    def describe(self, name: str) -> ModuleDetail:
        """The module at ``name`` with all that is below it. Raises ``KeyError`` for no module."""
        tape = without_scratch(self._exact())
        if name not in tape.module_names:
            raise KeyError(name)
        lives = Lives.of(tape)
        index = tape.module_names.index(name)
        below = np.array(
            [path == name or not name or path.startswith(name + ".") for path in tape.module_names]
        )
        inside = np.flatnonzero(below[tape.module])
        kept = kept_for_backward(tape, lives)
        kept = kept[below[tape.module[kept]]]
        shapes = tape.module_shapes.get(index, ((), ()))
        table = table_at(tape, lives, "peak", int(tape.curve_bytes.argmax()))
        whole = np.zeros((len(tape.module_names), WIDTH), dtype=np.int64)
        whole[index] = table[below].sum(axis=0)
        layer = next(row for row in rows(tape, lives, whole) if row.name == name)
        return ModuleDetail(
            name=name,
            type=tape.module_types[index],
            alike=next(row.alike for row in self.layers if row.name == name),
            parameters=tuple(
                _parameter(tape, int(place), name)
                for place in inside
                if tape.category[place] == PARAMETERS
            ),
            kept=tuple(_kept(tape, int(place)) for place in kept),
            input_shapes=shapes[0],
            output_shapes=shapes[1],
            layer=layer.model_copy(
                update={
                    "kept_bytes": int(tape.size_bytes[kept].sum()),
                    "parameters": int(tape.numel[inside].sum()),
                }
            ),
        )


def without_scratch(tape: Tape) -> Tape:
    """The tape with nothing in kernels' scratch."""
    scratch = tape.category == WORKSPACES
    if not scratch.any():
        return tape
    return replace(tape, size_bytes=np.where(scratch, 0, tape.size_bytes))


def _parameter(tape: Tape, storage: int, below: str) -> ParameterInfo:
    info = tape.storages[int(tape.source[storage])]
    path = tape.module_names[int(tape.module[storage])]
    name = (f"{path}." if path else "") + info.operation.rpartition(".")[2]
    return ParameterInfo(
        name=name.removeprefix(below + "."),
        shape=info.shape,
        dtype=info.dtype,
        size_bytes=int(tape.size_bytes[storage]),
        trainable=bool(tape.trainable[storage]),
    )


def _kept(tape: Tape, storage: int) -> KeptTensor:
    info = tape.storages[int(tape.source[storage])]
    return KeptTensor(
        operation=info.operation.removeprefix("aten.").partition(".")[0],
        shape=info.shape,
        dtype=info.dtype,
        size_bytes=int(tape.size_bytes[storage]),
    )
