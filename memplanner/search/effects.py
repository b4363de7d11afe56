"""What every option of a plan would change, each estimated before it is chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memplanner.errors import MemplannerError, PlanError
from memplanner.estimate import Prediction, estimate
from memplanner.messages.device import Device
from memplanner.messages.effects import EffectKind, Elsewhere, OptionEffect
from memplanner.messages.estimate import Phase
from memplanner.messages.history import CalibrationRecord
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.offers import Offer, offers
from memplanner.plan.plan import keys
from memplanner.tape.interruption import give_up_if_asked
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target

_NEWEST = Target("cuda", (10, 0))
"""A card that has every kernel that torch has."""
_SETTING = re.compile(r"\b([a-z_]+(?:\.[a-z_]+)?)=([\w.]+)")
"""A key with a value, as sentences name the nearest choice that works."""


@dataclass(frozen=True, slots=True)
class _Figures:
    """What is compared of two plans."""

    allocated_bytes: int
    by_phase: Mapping[Phase, int]
    device_bytes: int | None
    prediction: Prediction


class Effects:
    """The effects of the options of ``plan``, one at a time and each in tens of milliseconds.

    ``first`` are keys whose effects are wanted before others; then come the options that lead
    their sections. Under ``interruptible`` an effect may be given up and asked for again.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        device: Device,
        *,
        first: Sequence[str] = (),
        calibration: CalibrationRecord | None = None,
    ) -> None:
        self.plan, self.device = plan, device
        self._model, self._calibration = model, calibration
        wanted = frozenset(first)
        self.offers = tuple(
            sorted(offers(plan), key=lambda one: (one.key not in wanted, not one.leads))
        )
        self._before: _Figures | None = None
        self._before_known = False

    def of(self, offer: Offer) -> OptionEffect:
        """What the plan with ``offer`` takes, beside the plan as it is."""
        before = self._unchanged()
        try:
            changed = self.plan.with_values({offer.key: offer.value})
            after = self._figures(changed)
        except MemplannerError as error:
            return self._refused(offer, str(error), before)
        return self._compared(offer, before, after)

    def _unchanged(self) -> _Figures | None:
        if not self._before_known:
            try:
                self._before = self._figures(self.plan)
            except MemplannerError:
                self._before = None  # each option is then told as one that makes it possible
            self._before_known = True
        return self._before

    def _figures(self, plan: Plan) -> _Figures:
        made = estimate(self._model, plan, self.device, calibration=self._calibration)
        give_up_if_asked()
        peak = made.peak
        return _Figures(
            peak.allocated_bytes,
            made.by_phase(),
            peak.device_bytes,
            made,
        )

    def _compared(self, offer: Offer, before: _Figures | None, after: _Figures) -> OptionEffect:
        return OptionEffect(
            key=offer.key,
            value=offer.value,
            kind=_kind(offer, before, after),
            allocated_bytes=after.allocated_bytes,
            allocated_difference_bytes=None
            if before is None
            else after.allocated_bytes - before.allocated_bytes,
            device_bytes=after.device_bytes,
            device_difference_bytes=None
            if before is None or before.device_bytes is None or after.device_bytes is None
            else after.device_bytes - before.device_bytes,
            time_change=_time_change(before, after),
            verdict=after.prediction.verdict,
        )

    def _refused(self, offer: Offer, sentence: str, before: _Figures | None) -> OptionEffect:
        refusal = OptionEffect(
            key=offer.key,
            value=offer.value,
            kind="refused",
            refused=sentence.removeprefix("the plan: "),
            runs_on=self._elsewhere(offer),
        )
        for key, value in _named(sentence, offer.key):
            try:
                both = self.plan.with_values({offer.key: offer.value, key: value})
                with_it = self._compared(offer, before, self._figures(both))
            except MemplannerError:
                continue
            return with_it.model_copy(
                update={
                    "kind": "refused",
                    "refused": refusal.refused,
                    "runs_on": refusal.runs_on,
                    "needs": f"{key}={value}",
                }
            )
        return refusal

    def _elsewhere(self, offer: Offer) -> Elsewhere | None:
        """The kind of device on which the same plan could be carried out."""
        try:
            plan = self.plan.with_values({offer.key: offer.value})
        except PlanError:
            return None
        here = Target.of(self.device)
        if _possible(plan, here):
            return None  # it is the model that does not take it
        if here.kind != "cpu" and _possible(plan, Target()):
            return "cpu"
        if _possible(plan, _NEWEST):
            return "gpu" if here.kind == "cpu" else "newer_gpu"
        return None


def _possible(plan: Plan, target: Target) -> bool:
    try:
        check(plan, target)
    except PlanError:
        return False
    return True


def _named(sentence: str, own: str) -> list[tuple[str, str]]:
    """The settings of other keys that a sentence names as its fix."""
    known = frozenset(keys())
    fix = sentence.partition(";")[2]
    return [(key, value.rstrip(".")) for key, value in _SETTING.findall(fix)
            if key in known and key != own]  # fmt: skip


def _time_change(before: _Figures | None, after: _Figures) -> float | None:
    """Of the time for a token or sample, by which steps of different batches compare."""
    if before is None:
        return None
    plan, changed = before.prediction.plan, after.prediction.plan
    if plan.inference.use != changed.inference.use:
        return None  # a token that is written is not one that is learned from
    was, now = before.prediction.time, after.prediction.time
    if was is None or now is None or was.unit != now.unit:
        return None
    return was.per_second / now.per_second - 1


def _kind(offer: Offer, before: _Figures | None, after: _Figures) -> EffectKind:
    if before is None:
        return "possible"
    if after.allocated_bytes != before.allocated_bytes:
        return "saves" if after.allocated_bytes < before.allocated_bytes else "takes"
    if after.by_phase != before.by_phase:
        return "same_peak"
    return "numerics_only" if "numerics only" in offer.explanation.lower() else "same"
