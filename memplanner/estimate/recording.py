"""One recording of a model: on the meta device where its code allows, for real where it must."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from weakref import ref

import torch
from torch import nn

from memplanner.errors import EstimateError
from memplanner.estimate.cutting import cut_module
from memplanner.estimate.fold import Cut
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.record import META, record
from memplanner.tape.tape import Tape
from memplanner.techniques.target import Target

Point = tuple[int, int]
"""Batch size and sequence length."""

CPU = torch.device("cpu")
LARGEST_REAL_BYTES = 2**29
"""Parameters. A larger model would take too long to run for an estimate."""


class Recordings:
    """Makes tapes of one model, with blocks cut away; keeps the weightless modules it needs."""

    def __init__(self, model: Model) -> None:
        self._model = ref(model)  # or the model would live as long as what is remembered of it
        self._modules: dict[tuple[Cut, ...], nn.Module] = {}
        self.real = False
        """Whether the model was seen not to run without values."""

    @property
    def model(self) -> Model:
        """The model, which whoever asks for tapes still holds."""
        model = self._model()
        assert model is not None
        return model

    def module(self, chosen: tuple[Cut, ...]) -> nn.Module:
        """The weightless model with the chosen blocks cut away; not to be changed."""
        known = self._modules.get(chosen)
        if known is None:
            known = self._modules[chosen] = cut_module(self.model.build(META), chosen)
        return known

    def record(
        self,
        plan: Plan,
        target: Target,
        point: Point,
        chosen: tuple[Cut, ...],
        *,
        forward_only: bool = False,
    ) -> Tape:
        """The tape of a step at ``point`` of the model without the blocks of ``chosen``."""
        training = plan.training.model_copy(
            update={"batch_size": point[0], "sequence_length": point[1]}
        )
        planned = plan.model_copy(update={"training": training})
        if self._needs_values(target):
            return self._record_for_real(planned, target, chosen, forward_only)
        module = deepcopy(self.module(chosen))
        try:
            return record(self.model, planned, target, module, forward_only=forward_only)
        except EstimateError:
            if self._parameter_bytes() > LARGEST_REAL_BYTES:
                raise
        tape = self._record_for_real(planned, target, chosen, forward_only)
        self.real = True  # and not where its code refuses the shape itself
        return tape

    def _needs_values(self, target: Target) -> bool:
        """Whether the step has to be run for real: recurrent kernels keep what only they know."""
        recurrent = target.kind == "cpu" and any(
            isinstance(part, nn.RNNBase) for part in self.module(()).modules()
        )
        return self.real or (recurrent and self._parameter_bytes() <= LARGEST_REAL_BYTES)

    def _parameter_bytes(self) -> int:
        return sum(part.nbytes for part in self.module(()).parameters())

    def _record_for_real(
        self, plan: Plan, target: Target, chosen: tuple[Cut, ...], forward_only: bool
    ) -> Tape:
        module = cut_module(self.model.build(CPU), chosen)
        tape = record(self.model, plan, target, module, CPU, forward_only=forward_only)
        note = "The step was run for real on this CPU: the model cannot run without values."
        if target.kind != "cpu":
            note += " The card's kernels may keep other tensors."
        return replace(tape, notes=(*tape.notes, note))
