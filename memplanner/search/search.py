"""The search for plans: best guesses first, in slices that may be interrupted between any two."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from time import perf_counter

from memplanner.errors import MemplannerError
from memplanner.hardware import find_device
from memplanner.messages.cost import RISKS, Quality
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.search import FoundPlan, SearchGoal, SearchState
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.borders import largest_held, sized
from memplanner.search.by_budget import ByBudget
from memplanner.search.entry import Entry, guess
from memplanner.search.evaluation import Evaluation, Seconds, structure
from memplanner.search.figures import DeviceFigures, Figures
from memplanner.search.front import front
from memplanner.search.limits import Limits
from memplanner.search.risk import added_risk
from memplanner.search.space import Space
from memplanner.search.telling import as_found

_GROWS = frozenset({"largest_micro_batch", "longest_sequence"})
"""Goals for which each plan is made as large as it can be."""
_BY_BUDGET = frozenset({"fastest", "least_loss"})
"""Goals for which memory that is left is worth time."""


class Search:
    """The plans near ``plan`` that a goal allows, on one device.

    ``go_on`` does one more slice of it, each some tenths of a second; under ``interruptible`` a
    slice may be given up, and the next call begins it anew. ``news`` are the plans that are new or
    told otherwise since it was last asked.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        device: Device | str,
        goal: SearchGoal | None = None,
        *,
        calibration: CalibrationRecord | None = None,
        seconds: Seconds | None = None,
        told_from: Plan | None = None,
        evaluation: Evaluation | None = None,
    ) -> None:
        self._told_from = plan if told_from is None else told_from
        self.plan, self.goal = plan, SearchGoal() if goal is None else goal
        self.device = find_device(device) if isinstance(device, str) else device
        if evaluation is None or not evaluation.is_of(model, self.device, calibration):
            evaluation = Evaluation(model, self.device, calibration=calibration, seconds=seconds)
        self.evaluation = evaluation
        self.limits = Limits.of(
            self.device, self.goal.margin_bytes, calibration, self.goal.host_memory_bytes
        )
        self.space = Space(plan, self.evaluation.target, self.goal)
        self.tells_too_large = True
        """Whether plans that cannot fit are evaluated where that takes next to no time."""
        self.entries: list[Entry] = []
        self.notes: list[str] = []
        self.chosen: Entry | None = None
        self._groups: deque[list[Plan]] | None = None
        self._late: deque[list[Plan]] = deque()
        self._looks_late = False
        self._possible = 1
        self._tried = 0
        self._seconds = 0.0
        self._of_front = 0
        self._best: frozenset[int] = frozenset()
        self._bases: deque[Entry] | None = None
        self._by_budget: tuple[Entry, ByBudget] | None = None
        self._done = False

    @property
    def explores(self) -> bool:
        """Whether plans are still to be tried."""
        return self._groups is None or bool(self._groups)

    @property
    def is_settled(self) -> bool:
        """Whether the front is known with the device's figures; it may be refined still."""
        return self._bases is not None or self._done

    @property
    def state(self) -> SearchState:
        """How far it is."""
        return SearchState(
            tried=self._tried,
            fitting=sum(1 for entry in self.entries if self.fits(entry)),
            possible=max(self._possible, self._tried),
            seconds=self._seconds,
            complete=self._done,
        )

    def look_ahead(self) -> bool:
        """As ``go_on``, while nobody waits: what it finds out is in ``evaluation``, for others."""
        return self.go_on()

    def go_on(self) -> bool:
        """Does one more slice; whether there are more."""
        started = perf_counter()
        try:
            self._done = not self._slice()
        finally:
            self._seconds += perf_counter() - started
        return not self._done

    def news(self) -> tuple[FoundPlan, ...]:
        """The plans that are new, or of which more is known."""
        found = []
        best = self._front()
        for place, entry in enumerate(self.entries):
            known = (place in best, entry.on_device is not None)
            if entry.told_as != known and (self.fits(entry) or not self.goal.fits_only):
                entry.told_as = known
                found.append(as_found(entry, self.device, self.limits, best=known[0]))
        return tuple(found)

    def fits(self, entry: Entry) -> bool:
        """Whether it is known to fit, with the goal's margin."""
        return entry.on_device is not None and self.limits.hold(entry.on_device)

    def never_fits(self, entry: Entry) -> bool:
        """Whether it is known not to fit for sure."""
        if entry.on_device is not None:
            return not self.fits(entry)
        most = self.limits.promises_bytes
        return most is not None and entry.figures.allocated_bytes > most

    def preference(self, entry: Entry) -> tuple[float, ...]:
        """What the goal orders plans by, the best first."""
        memory, seconds, risk = entry.cost.order
        training = entry.plan.training
        rest = (seconds, risk, len(entry.changes), memory)
        match self.goal.prefer:
            case "least_memory":
                return (memory, seconds, risk)
            case "largest_micro_batch":
                return (-training.batch_size, *rest)
            case "longest_sequence":
                return (-training.sequence_length, *rest)
            case "least_loss":
                return (risk, seconds, len(entry.changes), memory)
            case _:
                return rest

    def _slice(self) -> bool:
        if self._groups is None:
            self._begin()
        elif self._groups:
            group = self._groups[0]
            new: list[Entry] = []
            if self._waits(group):
                self._late.append(group)
            else:
                new = self.try_plans(group)
            self._groups.popleft()
            if not self._groups and not self._looks_late:
                self._groups, self._looks_late = self._late, True
            if self.chosen is None and new:  # a first answer soon
                first = min(new, key=self.preference)
                if not self.never_fits(first):
                    self.settle(first)
        else:
            return self._settle_next() or self._refine_next()
        return True

    def _waits(self, plans: list[Plan]) -> bool:
        """Whether they are looked at last: they cannot fit, and may be arithmetic by then."""
        plan = plans[0]
        if self._looks_late or self.evaluation.is_known(plan):
            return False
        return self.tells_too_large and self._is_ruled_out(plan)

    def _begin(self) -> None:
        """The plan as it is, and what is to be tried."""
        try:
            self.begin()
        except MemplannerError as error:  # others may be possible
            self.notes.append(str(error))
        self._groups = deque(self.grouped(self.space.plans()))
        self._possible = 1 + sum(len(group) for group in self._groups)

    def begin(self) -> Entry:
        """The plan as it is. Raises what ``estimate`` raises."""
        self._tried = 1
        return self._add(
            self.plan, Quality(risk="same_result"), self.evaluation.estimated(self.plan)
        )

    def grouped(self, plans: Iterable[Plan]) -> list[list[Plan]]:
        """Plans that are evaluated together, the best guess first: where all that saves is done."""
        together: dict[Plan, list[Plan]] = {}
        worst = RISKS.index(self.goal.worst_risk)
        for plan in plans:
            known = plan == self.plan
            if self.goal.prefer in _GROWS:  # each batch would be made the same
                known = plan.training != self.plan.training
            if not known and RISKS.index(added_risk(plan, self.plan).risk) <= worst:
                together.setdefault(structure(plan), []).append(plan)
        return [together[key] for key in sorted(together, key=guess)]

    def try_plans(self, plans: list[Plan]) -> list[Entry]:
        """The plans of a group whose figures are known then: not what cannot fit or be made."""
        known, count = len(self.entries), len(plans)
        cheap = self.tells_too_large and self.evaluation.is_known(plans[0])
        if cheap or not self._is_ruled_out(plans[0]):
            try:
                if self.goal.prefer in _GROWS:
                    plans = [large for plan in plans if (large := self._largest(plan)) is not None]
                figures = self.evaluation.figures(plans)
            except MemplannerError:  # the model refuses what the plan alone does not
                figures = []
            for plan, one in zip(plans, figures, strict=False):
                self._add(plan, added_risk(plan, self.plan), one)
        self._tried += count
        return self.entries[known:]

    def _is_ruled_out(self, plan: Plan) -> bool:
        """Whether what stands on the device all the time is too much for it, whatever the rest."""
        holds = self.limits.holds_bytes
        return holds is not None and self.evaluation.least_bytes(plan) > holds

    def _largest(self, plan: Plan) -> Plan | None:
        """The plan as large as its tensors can be on the device; None where it cannot be held."""
        most = self.limits.promises_bytes
        make, limit = sized(self.evaluation, plan, self.goal.prefer)
        size = 0 if most is None else largest_held(self.evaluation, make, limit, most)
        return make(size) if size else None

    def _smaller(self, entry: Entry) -> Entry | None:
        """The largest size that fits of a plan that is a little too large with the device's part.

        What the allocator holds back is known by a replay alone, so each size is an estimate.
        """
        make, _ = sized(self.evaluation, entry.plan, self.goal.prefer)
        training = entry.plan.training
        grows = self.goal.prefer == "longest_sequence"
        lengths = training.sequence_length // entry.plan.sharding.sequence_parts
        high = lengths if grows else training.batch_size
        step, low, found = max(1, high // 64), 0, None
        while high - low > 1:
            size = (low + high) // 2 if low else max(1, high - step)
            tried = Entry(make(size), (), entry.quality, entry.figures)
            tried.on_device = self.evaluation.on_device(tried.plan)
            tried.figures = tried.on_device.figures
            if self.fits(tried):
                low, found = size, tried
            elif size == 1:
                break
            else:
                high, step = size, step * 2
        if found is not None:
            self._add(found.plan, entry.quality, found.figures).on_device = found.on_device
            return self.entries[-1]
        return None

    def _add(self, plan: Plan, quality: Quality, figures: Figures) -> Entry:
        entry = Entry(plan, self.space.changes(plan, self._told_from), quality, figures)
        self.entries.append(entry)
        return entry

    def _front(self) -> frozenset[int]:
        """The places of the entries that no other beats."""
        if self._of_front != len(self.entries):
            self._of_front = len(self.entries)
            self._best = frozenset(front([entry.cost for entry in self.entries]))
        return self._best

    def settle(self, entry: Entry) -> None:
        """Asks for the estimate's own figures, which are what is told in the end."""
        known = self.evaluation.on_device(entry.plan)
        fitting: Entry | None = entry if self.limits.hold(known) else None
        if fitting is None and self.goal.prefer in _GROWS and entry is not self.entries[0]:
            fitting = self._smaller(entry)
        entry.on_device = known
        # compared with others it is by the seconds that it had among them
        entry.figures = replace(known.figures, seconds=entry.figures.seconds)
        self._of_front = 0  # what is told is compared
        if fitting is not None and self._would_be_chosen(fitting):
            self.chosen = fitting

    def _settle_next(self) -> bool:
        """Settles the plan that would be chosen if it fits, then those of the front."""
        best = self._front()
        waiting = [
            entry
            for place, entry in enumerate(self.entries)
            if entry.on_device is None
            and not self.never_fits(entry)
            and (
                place == 0
                or self._would_be_chosen(entry)
                or (place in best and self.goal.prefer not in _GROWS)
            )
        ]
        if not waiting:
            return False
        self.settle(min(waiting, key=self.preference))
        return True

    def _refine_next(self) -> bool:
        """Does one more estimate for the best plans that fit, of each risk one, by the budget.

        ``entries`` gains what is faster; False where nothing is left to try.
        """
        if self.goal.prefer not in _BY_BUDGET:
            return False
        if self._bases is None:
            fitting = [entry for entry in self.entries if self.fits(entry)]
            of_risk = {risk: [e for e in fitting if e.quality.risk == risk] for risk in RISKS}
            self._bases = deque(min(own, key=self.preference) for own in of_risk.values() if own)
        if self._by_budget is None:
            if not self._bases:
                return False
            base = self._bases.popleft()
            self._by_budget = base, self.by_budget(base)
        base, climbing = self._by_budget
        if not climbing.go_on():
            self._by_budget = None
            self._tried += climbing.probes
            for entry in self.take(base, climbing):
                if self._would_be_chosen(entry):
                    self.chosen = entry
        return True

    def by_budget(self, base: Entry) -> ByBudget:
        """What ``base``, which fits, recomputes or keeps on the host beyond need."""
        return ByBudget(
            self.evaluation,
            base.plan,
            allowed=self.space.may_change,
            fits=self.limits.hold,
            most_bytes=self.limits.most_bytes,
            promises_bytes=self.limits.promises_bytes,
        )

    def take(self, base: Entry, climbing: ByBudget) -> list[Entry]:
        """The entries of what was found and is faster than ``base``."""
        new = []
        for found in climbing.found():
            before, after = base.figures.seconds, found.known.figures.seconds
            if before is not None and after is not None and after < before:
                self.space.told[found.section] = found.words
                quality = added_risk(found.plan, self.plan)
                entry = self._add(found.plan, quality, found.known.figures)
                entry.on_device = found.known
                new.append(entry)
        return new

    def _would_be_chosen(self, entry: Entry) -> bool:
        return self.chosen is None or self.preference(entry) < self.preference(self.chosen)

    def best(self) -> tuple[FoundPlan, ...]:
        """The plans of the front, the smallest first; those that fit where the goal says so."""
        entries = sorted(
            (self.entries[place] for place in self._front()), key=lambda entry: entry.cost.order
        )
        return tuple(
            as_found(entry, self.device, self.limits, best=True)
            for entry in entries
            if self.fits(entry) or not self.goal.fits_only
        )

    def found_on(self, entry: Entry, device: Device, known: DeviceFigures) -> FoundPlan:
        """The plan as it is told on another device."""
        there = Entry(entry.plan, entry.changes, entry.quality, known.figures, known)
        return as_found(there, device, self.limits, best=True)

    def found(self, entry: Entry) -> FoundPlan:
        """The plan as it is told."""
        best = self.entries.index(entry) in self._front()
        return as_found(entry, self.device, self.limits, best=best)
