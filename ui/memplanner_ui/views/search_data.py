"""The plans that a search has found, and the places they have in its plot. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from memplanner.messages.cost import RISKS, Quality, QualityRisk
from memplanner.messages.device import Device
from memplanner.messages.estimate import Estimate
from memplanner.messages.search import FoundPlan, Value
from memplanner.plan import Plan
from memplanner.units import format_count
from memplanner_ui.language import translate

Key = tuple[frozenset[tuple[str, Value]], str, int]
"""What makes two found plans the same: their changes, the device and the number of cards."""


def key_of(found: FoundPlan) -> Key:
    """By which a plan that is told again replaces what was told of it."""
    return frozenset((one.key, one.after) for one in found.changes), found.device, found.cards


class Axis(NamedTuple):
    """What the height of a plot is, in words, and whether it is time."""

    title: str
    of_time: bool


class FoundPlans:
    """Plans found from one plan on one device. A change of it begins with ``begin``."""

    def __init__(self) -> None:
        self.base = Plan()
        """The plan that the search began with."""
        self.device: Device | None = None
        self._plans: dict[Key, FoundPlan] = {}
        self._unchanged: FoundPlan | None = None

    def __len__(self) -> int:
        return len(self._plans)

    def __iter__(self) -> Iterator[FoundPlan]:
        return iter(self._plans.values())

    def begin(self, base: Plan, device: Device | None, unchanged: FoundPlan | None) -> None:
        """Forgets everything: plans near ``base`` will come. ``unchanged`` is ``base`` itself."""
        self.base, self.device, self._unchanged = base, device, unchanged
        self._plans = {}

    def add(self, plans: Iterable[FoundPlan]) -> None:
        """Takes plans in; one that is told again replaces what was told of it."""
        for found in plans:
            if not self.is_own(found):
                self._plans[key_of(found)] = found
            elif self._unchanged is None or found.device_bytes is not None:
                self._unchanged = found  # a search may tell less of it than its estimate

    def newest(self, found: FoundPlan | None) -> FoundPlan | None:
        """What was told last of a plan; None where nothing is known of it."""
        if found is None or self.is_own(found):
            return None if found is None else self._unchanged
        return self._plans.get(key_of(found))

    def is_own(self, found: FoundPlan) -> bool:
        """Whether it is the plan as it is, on the device that is planned for."""
        return not found.changes and self.is_here(found)

    @property
    def unchanged(self) -> FoundPlan | None:
        """The plan as it is; None where nothing is known of it."""
        return self._unchanged

    def all(self) -> tuple[FoundPlan, ...]:
        """Every plan but the one as it is: the least risk first, then the fastest."""
        return tuple(sorted(self, key=self._rank))

    def best(self) -> tuple[FoundPlan, ...]:
        """Those that no other is both smaller and faster than, in the same order."""
        return tuple(one for one in self.all() if one.best)

    def plan_of(self, found: FoundPlan) -> Plan:
        """The whole plan. Raises ``PlanError`` where the changes do not go together."""
        return self.base.with_values({one.key: one.after for one in found.changes})

    def ways(self) -> Mapping[str, int]:
        """By section, how many combinations of its values were found, the plan's own included."""
        seen: dict[str, set[frozenset[tuple[str, Value]]]] = {}
        for found in self:
            by_section: dict[str, set[tuple[str, Value]]] = {}
            for change in found.changes:
                section = change.key.partition(".")[0]
                by_section.setdefault(section, set()).add((change.key, change.after))
            for section, values in by_section.items():
                seen.setdefault(section, set()).add(frozenset(values))
        return {section: len(values) + 1 for section, values in seen.items()}

    # Places in the plot

    def whole_bytes(self, found: FoundPlan) -> int:
        """What one card holds at the peak, other programs included."""
        memory = None if self.device is None else self.device.memory_bytes
        if memory is not None and found.spare_bytes is not None and self.is_here(found):
            return memory - found.spare_bytes  # so that spare memory and peak always agree
        return found.device_bytes or found.allocated_bytes

    def is_whole(self, found: FoundPlan) -> bool:
        """Whether ``whole_bytes`` is that, and not only what tensors take of it."""
        own = self._unchanged
        return found.device_bytes is not None or own is None or own.device_bytes is None

    def axis(self) -> Axis:
        """What the plot's height is: time where it is known, else how much a plan changes."""
        known = [one.time for one in self if one.time is not None]
        if not len(self):
            return Axis("", False)  # nothing has come in yet
        if not known:
            return Axis(
                translate("Views", "options changed (time is not known on this device)"), False
            )
        own = None if self._unchanged is None else self._unchanged.time
        unit, units = (own or known[0]).unit, (own or known[0]).units
        alike = all(time.units == units for time in known)
        words = f"{format_count(units)} {unit}"
        return Axis(
            translate("Views", "seconds per step of {words}").format(words=words)
            if alike
            else translate("Views", "seconds for {words}").format(words=words),
            True,
        )

    def heights(self, plans: Iterable[FoundPlan]) -> list[float | None]:
        """Where plans stand on ``axis``: seconds for as much as the plan as it is takes in."""
        if not self.axis().of_time:
            return [float(len(found.changes)) for found in plans]
        return [self._seconds(found) for found in plans]

    def _seconds(self, found: FoundPlan) -> float | None:
        if found.time is None or not found.time.units:
            return None
        own = None if self._unchanged is None else self._unchanged.time
        units = found.time.units if own is None else own.units
        return found.time.seconds * units / found.time.units

    def _rank(self, found: FoundPlan) -> tuple[int, float, int]:
        seconds = self._seconds(found)
        risk = RISKS.index(found.quality.risk)
        return risk, float("inf") if seconds is None else seconds, self.whole_bytes(found)

    def is_here(self, found: FoundPlan) -> bool:
        """Whether a plan is for the device that is planned for, be it for several of them."""
        here = self.device
        return here is None or found.device in (here.selector, here.name)


def as_found(estimate: Estimate) -> FoundPlan:
    """An estimate as the plan that a search begins with."""
    peak = estimate.peak
    return FoundPlan(
        changes=(),
        device=estimate.device.selector,
        cards=estimate.plan.sharding.ranks,
        allocated_bytes=peak.allocated_bytes,
        device_bytes=peak.device_bytes,
        device_high_bytes=peak.device_high_bytes,
        spare_bytes=estimate.spare_bytes,
        verdict=estimate.verdict,
        phase=peak.phase,
        by_category=peak.by_category,
        time=estimate.time,
        quality=Quality(risk="same_result"),  # of found plans it is what they add to this one
    )


def per_unit(found: FoundPlan) -> float | None:
    """Seconds for a token or sample; None where the time is not known."""
    if found.time is None or not found.time.units:
        return None
    return found.time.seconds / found.time.units


def slower_by(found: FoundPlan, than: FoundPlan | None) -> float | None:
    """Of time for a token or sample, over another plan: 0.07 for 7 %; None where not known."""
    own, other = per_unit(found), None if than is None else per_unit(than)
    return None if own is None or not other else own / other - 1


def by_risk(plans: Iterable[FoundPlan]) -> dict[QualityRisk, list[FoundPlan]]:
    """Plans by their risk to quality, in the order given."""
    parted: dict[QualityRisk, list[FoundPlan]] = {risk: [] for risk in RISKS}
    for found in plans:
        parted[found.quality.risk].append(found)
    return parted
