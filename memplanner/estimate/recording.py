"""One recording of a model: on the meta device where its code allows, for real where it must."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from weakref import ref

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.estimate.blocks_as_recorded import AlikeBlocks
from memplanner.estimate.composing import Composing, Keys, Names, divides
from memplanner.estimate.cutting import copy_cut, cut_away, cut_module
from memplanner.estimate.periods import Cut
from memplanner.estimate.stage_recordings import StageRecordings
from memplanner.estimate.standing import standing_bytes, standing_part
from memplanner.model.blocks import BlockList, block_lists
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.checkpoint_survey import choice
from memplanner.tape.generation import record_use
from memplanner.tape.record import META, StepError, record
from memplanner.tape.stand_in import StandIns, needs_device
from memplanner.tape.tape import Tape
from memplanner.tape.tensor_trees import tensors_in
from memplanner.tape.update import record_update
from memplanner.techniques.inference import trains
from memplanner.techniques.parallel.pipeline_micro_batches import Order
from memplanner.techniques.parallel.pipeline_parts import Part
from memplanner.techniques.parallel.rank_stages import copy_for_rank, outline_for_rank, parts_for
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target

_STAGES_REMEMBERED = 64
Point = tuple[int, int]
"""Batch size and sequence length."""

CPU = torch.device("cpu")
LARGEST_REAL_BYTES = 2**29
"""Parameters. A larger model would take too long to run for an estimate."""
LARGEST_REAL_WORK = 2**35
"""Parameters times tokens of a step that is run for real: some ten seconds."""


def recorder_of(plan: Plan) -> Callable[..., Tape]:
    """What records the plan: a step of training, or a use."""
    return record if trains(plan) else record_use


class Recordings:
    """Makes tapes of one model, with blocks cut away; keeps the weightless modules it needs."""

    def __init__(self, model: Model) -> None:
        self._model = ref(model)  # or the model would live as long as what is remembered of it
        self._modules: dict[tuple[Cut, ...], nn.Module] = {}
        self._stages: OrderedDict[tuple[tuple[Part, ...], tuple[Cut, ...]], nn.Module] = (
            OrderedDict()
        )
        self.real = False
        """Whether the model was seen not to run without values."""
        self._ran_here = False
        self._stand_ins = StandIns(self._real_module)
        self._composing = Composing()
        self._standing: dict[tuple[Plan, Target, tuple[Cut, ...]], int] = {}
        self.made = 0
        """Forwards with their backwards that were recorded: what takes time."""

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
            known = copy_cut(self.module(()), chosen) if chosen else self.model.build(META)
            self._modules[chosen] = known
        return known

    def parts(self, plan: Plan, target: Target) -> tuple[Part, ...]:
        """The stages of a pipeline that the target's rank has; none where there is no pipeline."""
        if plan.sharding.pipeline == 1:
            return ()
        return parts_for(self.model, plan.sharding, target.rank, self.module(()))

    def stages(self, parts: tuple[Part, ...], chosen: tuple[Cut, ...]) -> nn.Module:
        """Stages of the weightless model with the chosen blocks cut away; not to be changed."""
        known = self._stages.get((parts, chosen))
        if known is None:
            copied = copy_for_rank(self.module(()), self.model, parts, cut_away(chosen))
            known = self._stages[parts, chosen] = cut_module(copied, chosen)
            if len(self._stages) > _STAGES_REMEMBERED:
                self._stages.popitem(last=False)
        return known

    def outline(self, parts: tuple[Part, ...]) -> nn.Module:
        """The model, or its stages, to choose cuts by; not to be changed, nor to be run."""
        return outline_for_rank(self.module(()), self.model, parts) if parts else self.module(())

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
        alone = planned.sharding.ranks == 1  # other ranks' answers would be missing
        runs_here = target.kind == "cpu" and alone and self._is_quick(planned)
        if runs_here and (self.real or self._recurrent):
            return self._record_for_real(planned, target, chosen, forward_only)

        if not forward_only and divides(planned) and not self.model.parameters_only:
            made = self._composed(planned, target, chosen)
            if made is not None:
                return made

        parts = self.parts(planned, target)
        if parts and trains(planned) and not forward_only:
            made = self._of_stages.tape(planned, target, chosen)
            if made is not None:
                return made

        def attempt() -> Tape:
            self.made += 1
            module = deepcopy(self.stages(parts, chosen) if parts else self.module(chosen))
            return recorder_of(planned)(
                self.model, planned, target, module,
                forward_only=forward_only, stand_ins=self._stand_ins,
                kept=choice(self.model, planned, target) if trains(planned) else None,
            )  # fmt: skip

        try:
            return attempt()
        except StepError as error:
            if error.in_update:
                raise  # whatever becomes of the model's own modules
            failed = error
        if runs_here:
            try:
                tape = self._record_for_real(planned, target, chosen, forward_only)
            except StepError as error:
                if not needs_device(error.error):
                    raise
            else:
                self.real = True  # and not where its code refuses the shape itself
                return tape
        while True:
            # What a cut removed is missed outside it, and then the whole model is recorded.
            inside = not chosen or any(f"{cut.path}." in failed.module for cut in chosen)
            if failed.refused or not inside or not self._stand_ins.add(failed.types, failed.error):
                raise failed
            try:
                return attempt()
            except StepError as error:
                failed = error

    def standing_bytes(self, plan: Plan, target: Target, chosen: tuple[Cut, ...]) -> int:
        """Parameters and buffers of the whole model as the plan makes it; 0 where it cannot."""
        planned = standing_part(plan)
        key = planned, target, chosen
        if key not in self._standing:
            module = deepcopy(self.module(chosen))
            try:
                self._standing[key] = standing_bytes(self.model, planned, target, module, chosen)
            except PlanError:
                self._standing[key] = 0
        return self._standing[key]

    def _stage_in(
        self, plan: Plan, target: Target, parts: tuple[Part, ...], chosen: tuple[Cut, ...],
        order: Order,
    ) -> Tape | None:  # fmt: skip
        """A pipeline's stage working in ``order``; None where the step cannot be run."""
        self.made += 1
        try:
            return record(
                self.model, plan, target, deepcopy(self.stages(parts, chosen)),
                stand_ins=self._stand_ins, kept=choice(self.model, plan, target),
                shortened=order,
            )  # fmt: skip
        except StepError:  # who records the step whole says why, or finds another way
            return None

    @cached_property
    def _of_stages(self) -> StageRecordings:
        return StageRecordings(self._stage_in, self.parts, lambda: self._blocks)

    @cached_property
    def _blocks(self) -> BlockList | None:
        """The blocks that stages are made of; None where there are several lists."""
        lists = block_lists(self.module(()))
        return lists[0] if len(lists) == 1 else None

    def _composed(self, plan: Plan, target: Target, chosen: tuple[Cut, ...]) -> Tape | None:
        """The same made of two recordings that other plans share; None where it does not divide."""

        def record_body(body: Plan) -> Tape | None:
            self.made += 1
            try:
                return record(
                    self.model, body, target, deepcopy(self.module(chosen)),
                    stand_ins=self._stand_ins, marked=True,
                )  # fmt: skip
            except StepError:  # who records the plan whole says why, or finds another way
                return None

        def record_own(planned: Plan, names: Names, modules: Names) -> Tape | None:
            module = deepcopy(self.module(chosen))
            return record_update(self.model, planned, target, module, names, modules)

        check(plan, target)
        keys = None if self._alike_blocks is None else self._alike_blocks.keys(plan, chosen)
        return self._composing.tape(
            plan, target, keys or Keys(plan, chosen, chosen), self._stand_ins.count,
            record_body, record_own,
        )  # fmt: skip

    @cached_property
    def _alike_blocks(self) -> AlikeBlocks | None:
        return AlikeBlocks.of(self.module(()))

    @property
    def plays_back(self) -> bool:
        """Whether some modules are played back."""
        return self._stand_ins.count > 0

    @property
    def how(self) -> str:
        """How tapes were made, in words for a user."""
        if self._ran_here:
            return "run for real on the CPU"
        parts = self._stand_ins.count
        if not parts:
            return "recorded on meta tensors"
        kinds = "one kind" if parts == 1 else f"{parts} kinds"
        return f"recorded on meta tensors, {kinds} of module apart"

    def _is_quick(self, plan: Plan) -> bool:
        """Whether running the whole step for real takes seconds."""
        if self._parameter_bytes > LARGEST_REAL_BYTES:
            return False
        training = plan.training
        batch = self.model.batch(training.batch_size, training.sequence_length, META)
        rows = max(
            (math.prod(part.shape[: 1 + (part.dim() > 1)]) for part in tensors_in(batch)
             if part.dim()), default=1,
        )  # fmt: skip
        return self._parameter_bytes // 4 * rows <= LARGEST_REAL_WORK

    def _real_module(self, name: str) -> nn.Module | None:
        """The module at a path with the values that the model's own code gives it."""
        if self._parameter_bytes > LARGEST_REAL_BYTES:
            return None
        try:
            return self.model.build(CPU).get_submodule(name)
        except AttributeError:  # a plan has wrapped it
            return None

    @cached_property
    def _recurrent(self) -> bool:
        return any(
            isinstance(part, (nn.RNNBase, nn.RNNCellBase)) for part in self.module(()).modules()
        )

    @cached_property
    def _parameter_bytes(self) -> int:
        return sum(part.nbytes for part in self.module(()).parameters())

    def _record_for_real(
        self, plan: Plan, target: Target, chosen: tuple[Cut, ...], forward_only: bool
    ) -> Tape:
        module = cut_module(self.model.build(CPU), chosen)
        tape = recorder_of(plan)(
            self.model, plan, target, module, CPU,
            forward_only=forward_only,
            kept=choice(self.model, plan, target) if trains(plan) else None,
        )  # fmt: skip
        self._ran_here = True
        note = "The step was run for real on this CPU: " + (
            "the model cannot run without values."
            if self.real or not self._recurrent
            else "what recurrent kernels keep only they know."
        )
        return replace(tape, notes=(*tape.notes, note))
