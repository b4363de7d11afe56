"""A search that nobody has asked for yet: while the engine has nothing to do."""

from __future__ import annotations

from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING

from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.search import SearchGoal
from memplanner.plan import Plan

if TYPE_CHECKING:
    from memplanner.model import Model
    from memplanner.search.evaluation import Evaluation
    from memplanner.search.search import Search

LONGEST_SECONDS = 60.0
"""Of looking ahead from one plan: a model that has to be run for real would take minutes."""


def goal_of(plan: Plan) -> SearchGoal:
    """What is looked for ahead: all that may change, but how cards that are there share the work.

    Each other way to share is recorded anew, which would take all the time there is.
    """
    return SearchGoal(pinned=("sharding",) if plan.sharding.ranks > 1 else ())


class AheadWork:
    """What a search from one plan finds out, so that a search is arithmetic when it comes."""

    def __init__(
        self,
        model: Model,
        plan: Plan,
        device: Device,
        calibration: CalibrationRecord | None,
        before: AheadWork | None,
    ) -> None:
        self.plan, self.device = plan, device
        self._model, self._calibration = model, calibration
        self._search: Search | None = None
        self._seconds = 0.0
        self.waits = True
        self.evaluation: Evaluation | None = None if before is None else before.evaluation
        """What is known by now, of this plan and of those before it."""

    def go_on(self, interruption: Event) -> None:
        """Looks on for a slice, unless it is interrupted."""
        from memplanner.search.search import Search
        from memplanner.tape.interruption import Interrupted, interruptible

        started, self.waits = perf_counter(), False
        more = True
        try:
            with interruptible(interruption):
                if self._search is None:
                    self._search = Search(
                        self._model, self.plan, self.device, goal_of(self.plan),
                        calibration=self._calibration, evaluation=self.evaluation,
                    )  # fmt: skip
                    self.evaluation = self._search.evaluation
                more = self._search.look_ahead()
        except Interrupted:
            pass
        self._seconds += perf_counter() - started
        self.waits = more and self._seconds < LONGEST_SECONDS
