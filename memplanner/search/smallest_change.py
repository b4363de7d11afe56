"""The shortest lists of changes that make a plan fit; for one that fits, what it leaves unused."""

from __future__ import annotations

from collections import deque

from memplanner.errors import MemplannerError
from memplanner.messages.cost import RISKS
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.search import SearchGoal, SmallestChange
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.by_budget import ByBudget
from memplanner.search.entry import Entry
from memplanner.search.evaluation import Evaluation, Seconds
from memplanner.search.search import Search

MOST_CHANGES = 3
MOST_TOLD = 5
MOST_OF_A_KIND = 2
"""Of those that change the same sections."""
MOST_GIVEN_BACK = 2
"""Of the plans that fit, the best first, those that are asked what they save beyond need."""
FASTER_BY = 0.01
"""Less is no reason to change a plan that fits."""


class SmallestChanges:
    """Looks for changes slice by slice, as ``Search`` does: single ones, then pairs, then three.

    Of lists of the same length those of the least risk come first, then the fastest, then the
    smallest. A plan that fits is held against those of the same result that are faster.
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
        evaluation: Evaluation | None = None,
    ) -> None:
        self._search = Search(
            model, plan, device, goal,
            calibration=calibration, seconds=seconds, evaluation=evaluation,
        )  # fmt: skip
        self._search.tells_too_large = False
        self._start: Entry | None = None
        self._length = 0
        self._groups: deque[list[Plan]] = deque()
        self._waiting: list[Entry] = []
        self._fitting: list[Entry] = []
        self._given_back: list[Entry] = []
        """Those of them that recompute, or keep on the host, no more than it takes."""
        self._by_budget: tuple[Entry, ByBudget] | None = None
        self.fits_already = False
        """Whether the plan fits as it is; known after the first slice."""

    def go_on(self) -> bool:
        """Does one more slice; whether there are more."""
        if self._length == 0:
            self._begin()
            return self._next_length()
        if self._by_budget is not None:
            self._give_back(*self._by_budget)
            return True
        if self._groups:
            new = self._search.try_plans(self._groups[0])
            self._groups.popleft()
            self._waiting += [entry for entry in new if self._is_wanted(entry)]
            return True
        if self._settle_next():
            return True
        return self._next_length()

    def found(self) -> tuple[SmallestChange, ...]:
        """The changes, the best first."""
        return tuple(
            SmallestChange(found=self._search.found(entry), slower_by=self._slower_by(entry))
            for entry in sorted([*self._fitting, *self._given_back], key=self._order)[:MOST_TOLD]
        )

    def _begin(self) -> None:
        if self._start is None:  # and not interrupted behind it
            try:
                self._start = self._search.begin()
            except MemplannerError:  # no such step: then others are looked for
                return
        if not self._search.never_fits(self._start):
            self._search.settle(self._start)
        self.fits_already = self._search.fits(self._start)
        if self.fits_already:
            self._by_budget = self._start, self._search.by_budget(self._start)

    def _next_length(self) -> bool:
        """Prepares the lists that are one longer; False where no more are needed."""
        most = 2 if self.fits_already else MOST_CHANGES
        if self._length == most or (self._fitting and not self.fits_already):
            return False
        self._length += 1
        plans = self._search.space.plans_that_change(self._length)
        self._groups = deque(self._search.grouped(plans))
        return True

    def _is_wanted(self, entry: Entry) -> bool:
        if self._search.never_fits(entry):
            return False
        if not self.fits_already:
            return True
        slower = self._slower_by(entry)
        same = entry.quality.risk == RISKS[0]
        return same and slower is not None and slower < -FASTER_BY

    def _settle_next(self) -> bool:
        """Asks for the device's figures of the next best one; False where none is left."""
        kinds = [self._kind(entry) for entry in self._fitting]
        self._waiting = [
            entry
            for entry in self._waiting
            if kinds.count(self._kind(entry)) < MOST_OF_A_KIND
            and not any(set(entry.changes) > set(known.changes) for known in self._fitting)
        ]
        if not self._waiting or len(self._fitting) >= MOST_TOLD:
            self._waiting = []
            return False
        best = min(self._waiting, key=self._order)
        self._search.settle(best)
        self._waiting.remove(best)
        if self._search.fits(best):
            self._fitting.append(best)
            if not self.fits_already and len(self._fitting) <= MOST_GIVEN_BACK:
                self._by_budget = best, self._search.by_budget(best)
        return True

    def _give_back(self, base: Entry, climbing: ByBudget) -> None:
        """Makes one more estimate of what ``base`` recomputes, or offloads, beyond need."""
        if not climbing.go_on():
            self._by_budget = None
            found = self._search.take(base, climbing)
            wanted = [entry for entry in found if self._is_wanted(entry)]
            if wanted:
                self._given_back.append(min(wanted, key=self._order))

    def _order(self, entry: Entry) -> tuple[float, ...]:
        memory, seconds, risk = entry.cost.order
        if self.fits_already:  # then time is what is left on the table
            return (seconds, len(self._kind(entry)), memory)
        return (len(self._kind(entry)), risk, seconds, memory)

    def _kind(self, entry: Entry) -> tuple[str, ...]:
        """The sections that it changes."""
        return tuple(sorted({change.key.partition(".")[0] for change in entry.changes}))

    def _slower_by(self, entry: Entry) -> float | None:
        if self._start is None:
            return None
        before, after = self._start.cost.seconds, entry.cost.seconds
        return None if before is None or after is None else after / before - 1
