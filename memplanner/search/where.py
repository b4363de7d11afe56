"""Searches beyond one device: the cheapest card on which a plan fits, or the fewest of them."""

from __future__ import annotations

from collections import deque

from memplanner.errors import MemplannerError, PlanError
from memplanner.hardware.catalogue import cards
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.search import FoundPlan, SearchGoal, SearchState
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.entry import Entry
from memplanner.search.evaluation import Evaluation, Seconds
from memplanner.search.limits import Limits
from memplanner.search.search import Search

CARDS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of cards that are tried, eight to a machine."""
_IN_A_NODE = 8
_MOST_TRIED = 4
"""Plans that are estimated on a card before the next larger one is looked at."""


class OnCheapestCard:
    """The plans near one, then the smallest card of the catalogue that one of them fits.

    The cheapest is the one of least memory, then of least bandwidth: prices change.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        kind = "cuda" if search.device.kind == "cpu" else search.device.kind
        known = [card for card in cards() if card.kind == kind]
        known.sort(key=lambda card: (card.memory_bytes, card.bandwidth_gb_s or 0.0, card.name))
        self._cards = deque(card.device for card in known)
        self._found: list[FoundPlan] = []
        self._told = 0
        self._done = False
        self.chosen: FoundPlan | None = None

    @property
    def notes(self) -> list[str]:
        """What is to be said of the search as a whole."""
        return self._search.notes

    @property
    def state(self) -> SearchState:
        """How far it is."""
        return self._search.state.model_copy(
            update={"fitting": len(self._found), "complete": self._done}
        )

    def go_on(self) -> bool:
        """Does one more slice; whether there are more."""
        if self._search.explores:
            self._search.go_on()
        elif self._cards and self.chosen is None:
            self._try_card(self._cards[0])
            self._cards.popleft()
        else:
            self._done = True
        return not self._done

    def _try_card(self, device: Device) -> None:
        """Estimates the best plans that its memory may hold on one card."""
        goal = self._search.goal
        limits = Limits.of(device, goal.margin_bytes, host_memory_bytes=goal.host_memory_bytes)
        most = limits.promises_bytes or 0
        held = [one for one in self._search.entries if one.figures.allocated_bytes <= most]
        evaluation = Evaluation(self._search.evaluation.model, device)
        for entry in sorted(held, key=self._search.preference)[:_MOST_TRIED]:
            try:
                known = evaluation.on_device(entry.plan)
            except MemplannerError:  # this card cannot do what the other one can
                continue
            if limits.hold(known):
                self.chosen = self._search.found_on(entry, device, known)
                self._found.append(self.chosen)
                return

    def news(self) -> tuple[FoundPlan, ...]:
        """The plans that were found since it was last asked."""
        new = self._found[self._told :]
        self._told = len(self._found)
        return tuple(new)

    def best(self) -> tuple[FoundPlan, ...]:
        """The plan that was found, if one was."""
        return tuple(self._found)


class OnFewestCards:
    """Searches with one card, then with more until a plan fits; samples a step stay where they can.

    What several cards share out is said by the plan; one that shares nothing is given ZeRO-3.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        device: Device,
        goal: SearchGoal,
        *,
        calibration: CalibrationRecord | None = None,
        seconds: Seconds | None = None,
    ) -> None:
        here = goal.model_copy(update={"where": "this_device"})

        def on_cards(shared: Plan) -> Search:
            return Search(
                model,
                shared,
                device,
                here,
                calibration=calibration,
                seconds=seconds,
                told_from=plan,
            )

        self._make = on_cards
        self._waiting = deque(self._plans(plan))
        self._running = self._make(self._waiting.popleft())
        self._tried = 0
        self._seconds = 0.0
        self._done = False

    @staticmethod
    def _plans(plan: Plan) -> list[Plan]:
        found = []
        data = "zero_3" if plan.sharding.data == "replicated" else plan.sharding.data
        training = plan.training
        for count in CARDS:
            nodes = max(1, count // _IN_A_NODE)
            steps = max(1, training.gradient_accumulation_steps // count)
            try:
                found.append(
                    plan.with_values(
                        {
                            "sharding.nodes": nodes,
                            "sharding.cards_per_node": count // nodes,
                            "sharding.data": data if count > 1 else plan.sharding.data,
                            "training.gradient_accumulation_steps": steps,
                        }
                    )
                )
            except PlanError:  # the plan's own degrees take another number of cards
                continue
        return found or [plan]

    @property
    def notes(self) -> list[str]:
        """What is to be said of the search as a whole."""
        return self._running.notes

    @property
    def state(self) -> SearchState:
        """How far it is: of the number of cards that is tried now."""
        now = self._running.state
        return now.model_copy(
            update={
                "tried": self._tried + now.tried,
                "possible": self._tried + now.possible,
                "seconds": self._seconds + now.seconds,
                "complete": self._done,
            }
        )

    @property
    def chosen(self) -> FoundPlan | None:
        """The best plan on the fewest cards."""
        entry: Entry | None = self._running.chosen
        return None if entry is None else self._running.found(entry)

    def go_on(self) -> bool:
        """Does one more slice; whether there are more."""
        if not self._running.go_on():
            if self._running.chosen is not None or not self._waiting:
                self._done = True
            else:
                now = self._running.state
                self._tried += now.tried
                self._seconds += now.seconds
                self._running = self._make(self._waiting.popleft())
        return not self._done

    def news(self) -> tuple[FoundPlan, ...]:
        """The plans that were found since it was last asked."""
        return self._running.news()

    def best(self) -> tuple[FoundPlan, ...]:
        """The front on that many cards."""
        return self._running.best()


class OnThisDevice:
    """A search of one device, as the others are asked."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.go_on, self.news, self.best = search.go_on, search.news, search.best

    @property
    def notes(self) -> list[str]:
        """What is to be said of the search as a whole."""
        return self._search.notes

    @property
    def state(self) -> SearchState:
        """How far it is."""
        return self._search.state

    @property
    def chosen(self) -> FoundPlan | None:
        """The plan that meets the goal best."""
        entry = self._search.chosen
        return None if entry is None else self._search.found(entry)


AnySearch = OnThisDevice | OnCheapestCard | OnFewestCards


def begin(
    model: Model,
    plan: Plan,
    device: Device,
    goal: SearchGoal,
    *,
    calibration: CalibrationRecord | None = None,
    seconds: Seconds | None = None,
    evaluation: Evaluation | None = None,
) -> AnySearch:
    """The search that a goal asks for, not yet begun; ``evaluation`` may know figures already."""
    if goal.where == "fewest_cards":
        return OnFewestCards(model, plan, device, goal, calibration=calibration, seconds=seconds)
    search = Search(
        model, plan, device, goal,
        calibration=calibration, seconds=seconds, evaluation=evaluation,
    )  # fmt: skip
    return OnCheapestCard(search) if goal.where == "cheapest_card" else OnThisDevice(search)
