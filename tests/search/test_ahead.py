"""What an engine with nothing to do records, and how far a search is told to be."""

from __future__ import annotations

from threading import Event

import pytest

from memplanner.estimate import recorder
from memplanner.hardware import find_device
from memplanner.messages import protocol
from memplanner.messages.search import SearchGoal
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.search import evaluation
from memplanner.search.search import Search
from memplanner.server import search_work
from memplanner.server.ahead_work import AheadWork, goal_of
from memplanner.server.search_work import SearchWork

PLAN = Plan.parse({"training": {"batch_size": 1, "sequence_length": 64}})
CARD = "RTX 4090 24GB"
FEW = SearchGoal(pinned=("adapters", "training", "loss", "activation_offload"))


def test_a_search_that_was_looked_ahead_to_records_nothing() -> None:
    model, device = load("preset:smollm2-135m"), find_device(CARD)
    before = Search(model, PLAN, device, FEW)
    while before.look_ahead():
        pass
    made = recorder(model)._recordings.made
    assert made > 1
    search = Search(model, PLAN, device, FEW, evaluation=before.evaluation)
    while not search.is_settled:
        search.go_on()
    assert recorder(model)._recordings.made == made
    assert search.chosen is not None


@pytest.mark.slow
def test_a_search_that_was_looked_ahead_to_is_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The front's figures and what is given back by the budget are known by then, too."""
    model, device = load("preset:smollm2-135m"), find_device(CARD)
    before = Search(model, PLAN, device, FEW)
    while before.look_ahead():
        pass

    def no_estimate(*_: object, **__: object) -> None:
        raise AssertionError("an estimate was made")

    monkeypatch.setattr(evaluation, "estimate", no_estimate)
    search = Search(model, PLAN, device, FEW, evaluation=before.evaluation)
    while search.go_on():
        pass
    assert search.best() == before.best()
    assert search.chosen is not None


def test_looking_ahead_stops_for_a_request_and_goes_on_after_it() -> None:
    work = AheadWork(load("preset:smollm2-135m"), PLAN, find_device(CARD), None, None)
    asked = Event()
    asked.set()
    work.go_on(asked)
    assert work.waits
    work.go_on(Event())
    assert work.waits
    assert work.evaluation is not None


def test_how_cards_share_the_work_is_not_looked_into() -> None:
    shared = PLAN.with_values({"sharding.cards_per_node": 2, "sharding.data": "zero_3"})
    work = AheadWork(load("preset:smollm2-135m"), shared, find_device(CARD), None, None)
    work.go_on(Event())
    assert work._search is not None
    tried = [entry.plan for entry in work._search.entries]
    assert {plan.sharding for plan in tried} == {shared.sharding}
    assert goal_of(PLAN) == SearchGoal()


class Channel:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[protocol.Reply] = []

    def send(self, reply: protocol.Reply) -> None:
        """Keeps the reply."""
        self.sent.append(reply)


def test_it_is_told_how_far_a_search_is_before_anything_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_work, "TELL_AFTER_SECONDS", 0.0)
    goal = FEW.model_copy(update={"where": "cheapest_card"})
    request = protocol.SearchPlans(id=7, plan=PLAN, device=CARD, goal=goal)
    channel = Channel()
    work = SearchWork(request, load("preset:smollm2-135m"), channel)  # type: ignore[arg-type]  # is asked to send alone
    for _ in range(3):
        work.go_on(Event())
    told = [reply for reply in channel.sent if isinstance(reply, protocol.PlansFound)]
    assert [reply.plans for reply in told] == [()] * len(told)
    assert told[-1].state.tried > told[0].state.tried > 0
