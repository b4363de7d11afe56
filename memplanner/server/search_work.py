"""A search that goes on while nobody waits for anything else, and the smallest change that fits."""

from __future__ import annotations

from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING

from memplanner.hardware import find_device
from memplanner.messages import protocol
from memplanner.server.channel import Channel
from memplanner.server.guard import guarded

if TYPE_CHECKING:
    from memplanner.messages.search import SearchState
    from memplanner.model import Model
    from memplanner.search.evaluation import Evaluation

SearchRequest = protocol.SearchPlans | protocol.StopSearch | protocol.FindSmallestChange
TELL_AFTER_SECONDS = 0.1
"""Plans are told in batches, as many as have come in this time."""


class SearchWork:
    """One ``search_plans``, told in batches. Raises ``DeviceError`` for an unknown device."""

    def __init__(
        self,
        request: protocol.SearchPlans,
        model: Model,
        channel: Channel,
        evaluation: Evaluation | None = None,
    ) -> None:
        from memplanner.run.keeping import known_calibration
        from memplanner.search.where import begin

        self.request = request
        self._channel = channel
        device = find_device(request.device)
        self._search = begin(
            model, request.plan, device, request.goal,
            calibration=known_calibration(device)[0], evaluation=evaluation,
        )  # fmt: skip
        self._told_at = 0.0
        self._told: SearchState | None = None

    def go_on(self, interruption: Event) -> bool:
        """Searches on for a slice, unless it is interrupted; whether there is more to do.

        The end is told, too.
        """
        from memplanner.tape.interruption import Interrupted, interruptible

        try:
            with interruptible(interruption):
                more = self._search.go_on()
        except Interrupted:
            return True
        now = perf_counter()
        if not more:
            self.end()
        elif now - self._told_at > TELL_AFTER_SECONDS:
            self._told_at = now
            self._tell()
        return more

    def _tell(self) -> None:
        """Tells what is new: plans, or how far it is, also while nothing is found yet."""
        plans, state = self._search.news(), self._search.state
        if plans or state != self._told:
            self._told = state
            self._channel.send(protocol.PlansFound(id=self.request.id, plans=plans, state=state))

    def end(self) -> None:
        """Tells what is found, and that no more comes."""
        self._tell()
        self._channel.send(
            protocol.SearchEnded(
                id=self.request.id,
                state=self._search.state,
                chosen=self._search.chosen,
                notes=tuple(self._search.notes),
            )
        )


class ChangeWork:
    """One ``find_smallest_change``. Raises ``DeviceError`` for an unknown device."""

    def __init__(
        self,
        request: protocol.FindSmallestChange,
        model: Model,
        channel: Channel,
        evaluation: Evaluation | None = None,
    ) -> None:
        from memplanner.run.keeping import known_calibration
        from memplanner.search.smallest_change import SmallestChanges

        self.request = request
        self._channel = channel
        device = find_device(request.device)
        self._changes = SmallestChanges(
            model, request.plan, device, request.goal,
            calibration=known_calibration(device)[0], evaluation=evaluation,
        )  # fmt: skip

    def go_on(self, interruption: Event) -> bool:
        """Looks on for a slice, unless it is interrupted; whether there is more to do."""
        from memplanner.tape.interruption import Interrupted, interruptible

        try:
            with interruptible(interruption):
                more = self._changes.go_on()
        except Interrupted:
            return True
        if not more:
            self._channel.send(
                protocol.SmallestChanges(
                    id=self.request.id,
                    changes=self._changes.found(),
                    fits_already=self._changes.fits_already,
                )
            )
        return more


class Searches:
    """The search that goes on and the changes that are looked for: one of each at most."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._search: SearchWork | None = None
        self._changes: ChangeWork | None = None

    @property
    def wait(self) -> bool:
        """Whether there is something to go on with."""
        return self._search is not None or self._changes is not None

    def take(
        self, request: SearchRequest, model: Model, evaluation: Evaluation | None = None
    ) -> None:
        """Begins or ends what is asked for; ``evaluation`` may know some of it already."""
        if isinstance(request, protocol.SearchPlans):
            self._supersede(self._search)
            self._search = None
            self._search = SearchWork(request, model, self._channel, evaluation)
        elif isinstance(request, protocol.FindSmallestChange):
            self._supersede(self._changes)
            self._changes = None
            self._changes = ChangeWork(request, model, self._channel, evaluation)
        else:
            search, self._search = self._search, None
            if search is not None:
                search.end()

    def go_on(self, interruption: Event) -> None:
        """Does a slice of the changes, for which a notice waits, or else of the search."""
        work = self._changes or self._search
        more = False

        def go_on() -> bool:
            nonlocal more
            more = work is not None and work.go_on(interruption)
            return True

        if work is not None:
            guarded(work.request, self._channel, go_on)
        if not more and work is self._changes:
            self._changes = None
        elif not more:
            self._search = None

    def supersede(self) -> None:
        """Ends both without an answer of their own: another model is opened."""
        self._supersede(self._search)
        self._supersede(self._changes)
        self._search = self._changes = None

    def _supersede(self, work: SearchWork | ChangeWork | None) -> None:
        if work is not None:
            self._channel.send(protocol.Superseded(id=work.request.id))
