"""Searches, asked of an engine process: told in batches, never in the way, ended when asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memplanner.messages import protocol
from memplanner.messages.search import SearchGoal
from memplanner.plan import Plan
from tests.engine import Engine

SOURCE = "preset:smollm2-135m"
CARD = "RTX 3060 12GB"
PLAN = Plan.parse({"training": {"batch_size": 2, "sequence_length": 64}})
TOO_LARGE = PLAN.with_values({"training.batch_size": 64, "training.sequence_length": 2048})
SHORT = SearchGoal(techniques=("loss", "activation_checkpointing"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine") / "log", forked=True)
    engine.open(SOURCE)
    yield engine
    engine.end()


def ask(engine: Engine, goal: SearchGoal, plan: Plan = PLAN) -> int:
    """Begins a search; the request's id."""
    return engine.send(
        lambda number: protocol.SearchPlans(id=number, plan=plan, device=CARD, goal=goal)
    )[0]


def ended(engine: Engine, number: int) -> tuple[list[protocol.PlansFound], protocol.SearchEnded]:
    """What a search tells until it ends."""
    told = []
    while not isinstance(reply := engine.reply(), protocol.SearchEnded):
        assert isinstance(reply, protocol.PlansFound)
        assert reply.id == number
        told.append(reply)
    assert reply.id == number
    return told, reply


def test_plans_are_told_in_batches_and_then_the_end(engine: Engine) -> None:
    told, end = ended(engine, ask(engine, SHORT))
    assert end.state.complete
    assert end.state.tried == end.state.possible == 8
    assert end.chosen is not None
    assert end.chosen.verdict == "fits"
    assert {one.changes for batch in told for one in batch.plans} >= {(), end.chosen.changes}


def test_an_estimate_goes_before_a_search_which_goes_on(engine: Engine) -> None:
    number = ask(engine, SearchGoal())
    assert isinstance(engine.reply(), protocol.PlansFound)
    plan = PLAN.with_values({"training.batch_size": 3})
    (asked,) = engine.send(lambda other: protocol.MakeEstimate(id=other, plan=plan, device="cpu"))
    before = 0
    while (reply := engine.reply()).id != asked:
        assert isinstance(reply, protocol.PlansFound)
        before += 1
    assert isinstance(reply, protocol.Estimated)
    assert before <= 2  # what was on its way already
    assert engine.reply().id == number
    engine.send(lambda other: protocol.StopSearch(id=other))
    _, end = ended(engine, number)
    assert not end.state.complete


def test_a_newer_search_replaces_the_one_that_goes_on(engine: Engine) -> None:
    first = ask(engine, SearchGoal())
    second = ask(engine, SHORT)
    while not isinstance(reply := engine.reply(), protocol.Superseded):
        assert reply.id == first
    assert reply.id == first
    _, end = ended(engine, second)
    assert end.state.complete


@pytest.mark.slow
def test_the_smallest_change_is_answered_in_one_reply(engine: Engine) -> None:
    (number,) = engine.send(
        lambda other: protocol.FindSmallestChange(
            id=other, plan=TOO_LARGE, device=CARD, goal=SearchGoal(worst_risk="same_result")
        )
    )
    reply = engine.reply()
    assert isinstance(reply, protocol.SmallestChanges)
    assert reply.id == number
    assert not reply.fits_already
    assert all(one.found.verdict == "fits" for one in reply.changes)
    assert reply.changes


def test_an_unknown_device_is_refused_and_the_engine_lives_on(engine: Engine) -> None:
    (number,) = engine.send(
        lambda other: protocol.SearchPlans(id=other, plan=PLAN, device="no such card")
    )
    reply = engine.reply()
    assert isinstance(reply, protocol.Failure)
    assert reply.id == number
    ended(engine, ask(engine, SHORT))
