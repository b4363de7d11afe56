"""Figures of many plans of one model on one device, the cheapest way that is exact.

A recording costs a tenth of a second, so plans share them. What comes before an optimizer's step
is recorded once for all optimizers; head and loss are recorded once for all that blocks may do.
Each time it is checked, on two recorded steps that differ in one of the two alone, that all else
is equal; where it is not, and for plans that are not known to divide so, the plan itself is
recorded. What is told in the end is the estimate's own in any case (``on_device``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from memplanner.estimate import Prediction, estimate, recorder, standing_workspaces
from memplanner.estimate.composing import STATELESS
from memplanner.estimate.step_time import Evaluated, evaluated, known_rates, seconds_at
from memplanner.estimate.step_time_measured import Timed
from memplanner.estimate.step_time_message import told_time
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import ActivationCheckpointing
from memplanner.plan.activation_offload import ActivationOffload
from memplanner.plan.loss import Loss
from memplanner.plan.offload import Offload
from memplanner.plan.sharding import Sharding
from memplanner.search.figures import DeviceFigures, Figures
from memplanner.search.step_parts import Peaks, StepParts
from memplanner.tape.interruption import give_up_if_asked
from memplanner.techniques.inference import trains
from memplanner.techniques.parallel.rank_groups import rank_groups
from memplanner.techniques.parallel.shared_states import shares_states
from memplanner.techniques.target import Target

Seconds = Callable[[Plan], float | None]
"""The time of an optimizer step of a plan."""
Point = tuple[int, int]


class Evaluation:
    """Figures of plans. ``seconds`` stands in for the estimate of time, in tests."""

    def __init__(
        self,
        model: Model,
        device: Device,
        *,
        calibration: CalibrationRecord | None = None,
        seconds: Seconds | None = None,
    ) -> None:
        self.model, self.device = model, device
        self.target = Target.of(device)
        self._calibration, self._seconds_of = calibration, seconds
        self._timed = None if calibration is None else Timed(calibration.timed, calibration.judged)
        self._rates = known_rates(device, self._timed)
        self._known: dict[Plan, Figures] = {}
        self._shown: dict[Plan, DeviceFigures] = {}
        self._recorded: dict[tuple[Plan, Target, tuple[Point, ...]], StepParts | None] = {}
        self._updates: dict[tuple[Plan, Target], tuple[StepParts, StepParts] | None] = {}
        self._references: dict[tuple[Plan, Target], Plan] = {}
        self._least: dict[Plan, int] = {}
        self._bodies: set[Plan] = set()

    def is_of(self, model: Model, device: Device, calibration: CalibrationRecord | None) -> bool:
        """Whether what is known here holds for the same model, device and calibration."""
        return (
            self.model is model
            and self.device == device
            and self._calibration == calibration
            and self._seconds_of is None
        )

    def figures(self, plans: Sequence[Plan]) -> list[Figures]:
        """The figures of each plan. Raises what ``estimate`` raises."""
        unknown = [plan for plan in plans if plan not in self._known]
        together: dict[Plan, list[Plan]] = {}
        for plan in unknown:
            together.setdefault(structure(plan), []).append(plan)
        for alike in together.values():
            assembled = self._assembled(alike) if _divides(alike[0]) else None
            for place, plan in enumerate(alike):
                made = None if assembled is None else assembled[place]
                self._known[plan] = made or self._of_prediction(self._predict(plan))
        return [self._known[plan] for plan in plans]

    def estimated(self, plan: Plan) -> Figures:
        """The figures of an estimate: quicker where it is known already, as of the plan shown."""
        if plan not in self._known:
            self._known[plan] = self._of_prediction(self._predict(plan))
        return self._known[plan]

    def least_bytes(self, plan: Plan) -> int:
        """No fewer are allocated at its peak; 0 where nothing is known of it yet.

        Parameters and states are the same whatever happens to activations, and so are gradients
        that wait for the update. Before anything is recorded parameters are known.
        """
        known = self._least.get(_with_plain_blocks(structure(plan)))
        return self._standing(plan) if known is None else known

    def is_known(self, plan: Plan) -> bool:
        """Whether its forward and backward are recorded: then all else is arithmetic."""
        return _without_update(structure(plan)) in self._bodies

    def _standing(self, plan: Plan) -> int:
        """Parameters and buffers that lie on a card at one moment of a step at least.

        Those of a whole model where cards have all of them, or gather all of them for backward
        (ZeRO-2); else a card's even share, which is the least that the fullest card has.
        """
        if not _divides(plan) and not shares_states(plan.sharding):
            return 0
        section, alone = plan.sharding, plan.model_copy(update={"sharding": Sharding()})
        whole = recorder(self.model).standing_bytes(alone, replace(self.target, rank=0))
        gathered = section.data != "zero_3" and section.ranks == section.gradient_degree
        return whole if gathered else whole // section.ranks

    def is_arithmetic(self, *plans: Plan) -> bool:
        """Whether plans that differ in batch and sequence alone follow from one recording."""
        if self.model.parameters_only or not _divides(plans[0]):
            return False
        records = recorder(self.model)
        points = [records.point(plan) for plan in plans]
        return records.step_at(plans[0], self.target, points) is not None

    def on_device(self, plan: Plan, promises_bytes: int | None = None) -> DeviceFigures:
        """The estimate's own figures, the device's among them: a replay, the first time.

        Where more than ``promises_bytes`` are allocated nothing is replayed, and the device's
        figures are None.
        """
        known = self._shown.get(plan)
        if known is not None:
            return known
        made = self._predict(plan)
        figures = self._of_prediction(made)
        if promises_bytes is not None and figures.allocated_bytes > promises_bytes:
            return DeviceFigures(figures, None, None, None, None, made.host_bytes)
        known = self._shown[plan] = DeviceFigures(
            figures=figures,
            device_bytes=made.peak.device_bytes,
            device_high_bytes=made.peak.device_high_bytes,
            spare_bytes=made.spare_bytes,
            verdict=made.verdict,
            host_bytes=made.host_bytes,
        )
        return known

    def _predict(self, plan: Plan) -> Prediction:
        made = estimate(self.model, plan, self.device, calibration=self._calibration)
        give_up_if_asked()
        return made

    def _of_prediction(self, made: Prediction) -> Figures:
        peak, plan = made.peak, made.plan
        seconds, time = None, made.time
        if self._seconds_of is not None:
            seconds = self._seconds_of(plan)
        elif self._rates is not None and time is not None:  # by rates, also where it was measured
            records = recorder(self.model)
            times = seconds_at(
                records, plan, self.device, [records.point(plan)], self._timed, made.rank
            )
            seconds = None if times is None else float(times[0])
        return Figures(peak.allocated_bytes, peak.phase, peak.by_category, seconds, time)

    def _assembled(self, plans: list[Plan]) -> list[Figures | None] | None:
        """Figures of plans of one structure made of parts; None where they do not divide."""
        if self.model.parameters_only:
            return None
        plan, records = plans[0], recorder(self.model)
        points = tuple(records.point(one) for one in plans)
        standing = sum(standing_workspaces(plan, self.device, os.environ)[0])
        best: list[Figures | None] = [None] * len(plans)
        for group in rank_groups(plan.sharding):
            parts = self._step(plan, replace(self.target, rank=group.first), points)
            give_up_if_asked()
            if parts is None:
                return None
            peaks = parts.peaks(standing)
            for place, one in enumerate(plans):
                if peaks.regrouped[place]:
                    return None
                known = best[place]
                if known is None or peaks.whole_bytes[place] > known.allocated_bytes:
                    best[place] = self._figures_at(one, parts, peaks, place)
        return best

    def _figures_at(self, plan: Plan, parts: StepParts, peaks: Peaks, place: int) -> Figures:
        seconds, time, cost = None, None, parts.cost
        if cost is not None:
            own = Evaluated(
                cost.parts[:, place : place + 1],
                cost.flops[place : place + 1],
                cost.moved_bytes[place : place + 1],
            )
            time = told_time(own, recorder(self.model), plan, self.device, self._timed)
            seconds = float(own.parts.sum())
        if self._seconds_of is not None:
            seconds = self._seconds_of(plan)
        return Figures(
            int(peaks.whole_bytes[place]), peaks.phases[place], peaks.categories(place),
            seconds, time,
        )  # fmt: skip

    def _step(self, plan: Plan, target: Target, points: tuple[Point, ...]) -> StepParts | None:
        if not _updates_apart(plan):
            return self._blocks_and_head(plan, target, points)
        update = self._update(plan, target, points)
        if update is None:
            return self._blocks_and_head(plan, target, points)
        body = self._blocks_and_head(_body(plan), target, points)
        if body is None or not body.separate:
            return self._record(plan, target, points)
        return body.with_update_of(*update)

    def _update(
        self, plan: Plan, target: Target, points: tuple[Point, ...]
    ) -> tuple[StepParts, StepParts] | None:
        """A step with the plan's optimizer, and one that is like it but has the stateless one."""
        key = (_with_plain_blocks(structure(plan)), target)
        if key not in self._updates:
            whole = self._record(plan, target, points[:1])
            body = self._record(_body(plan), target, points[:1])
            self._updates[key] = (
                (whole, body)
                if whole is not None
                and body is not None
                and whole.separate
                and whole.alike_before_update(body)
                else None
            )
        return self._updates[key]

    def _blocks_and_head(
        self, plan: Plan, target: Target, points: tuple[Point, ...]
    ) -> StepParts | None:
        """The step made of one with these blocks and one with this loss, where it divides so."""
        offload = plan.activation_offload  # keeps what the head saves, too
        plain = _with_plain_blocks(structure(plan)).model_copy(
            update={"activation_offload": offload}
        )
        key = (plain, target)
        reference = self._references.setdefault(key, plan)
        if plan.loss == reference.loss or (
            plan.activation_checkpointing == reference.activation_checkpointing
        ):
            return self._record(plan, target, points)
        reference = reference.model_copy(update={"training": plan.training})
        first = self._record(reference, target, points)
        blocks = self._record(plan.model_copy(update={"loss": reference.loss}), target, points)
        head = self._record(reference.model_copy(update={"loss": plan.loss}), target, points)
        if first is None or blocks is None or head is None:
            return self._record(plan, target, points)
        return blocks.with_head_of(head, first) or self._record(plan, target, points)

    def _record(self, plan: Plan, target: Target, points: tuple[Point, ...]) -> StepParts | None:
        key = (structure(plan), target, points)
        if key not in self._recorded:
            records = recorder(self.model)
            made = records.step_at(plan, target, points)
            give_up_if_asked()
            if made is None:
                self._recorded[key] = None
            else:
                cost = (
                    None
                    if self._rates is None
                    else evaluated(records, plan, self.device, points, self._rates, target.rank)
                )
                self._bodies.add(_without_update(key[0]))
                self._recorded[key] = parts = StepParts.of(*made, cost)
                if parts is not None:
                    own = _with_plain_blocks(key[0])
                    least = parts.least_bytes if target.rank == 0 else 0
                    self._least[own] = max(least, self._least.get(own, 0))
        return self._recorded[key]


def _divides(plan: Plan) -> bool:
    """Whether the step of a plan is one recorded tape of its own on each kind of rank."""
    return (
        trains(plan)
        and plan.distillation.student == "none"
        and not plan.sharding.deepspeed
        and not shares_states(plan.sharding)  # who holds most depends on what is trained
    )


def _updates_apart(plan: Plan) -> bool:
    """Whether the update is a phase of its own, on the device."""
    return plan.optimizer.update == "after_backward" and plan.offload.optimizer == "none"


def _body(plan: Plan) -> Plan:
    """The plan with an optimizer that adds nothing."""
    return plan.model_copy(update={"optimizer": STATELESS})


def _without_update(plan: Plan) -> Plan:
    """The same for all plans that differ in the optimizer and its place alone."""
    return _body(plan).model_copy(update={"offload": Offload()})


def _with_plain_blocks(plan: Plan) -> Plan:
    """The same for all plans that differ in blocks, head and loss alone."""
    return plan.model_copy(
        update={
            "activation_checkpointing": ActivationCheckpointing(),
            "activation_offload": ActivationOffload(),
            "loss": Loss(),
        }
    )


def structure(plan: Plan) -> Plan:
    """The same for all plans that differ in batch and sequence alone: one evaluation for all."""
    training = plan.training.model_copy(
        update={"batch_size": min(plan.training.batch_size, 2), "sequence_length": 1}
    )
    return plan.model_copy(update={"training": training})
