"""Effects of options, asked of an engine process: told one by one, and never in the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner.plan.offers import offers
from tests.engine import Engine, recipe

SOURCE = "preset:smollm2-135m"
PLAN = Plan.parse({"training": {"batch_size": 1, "sequence_length": 64}})
OTHER = PLAN.with_values({"training.sequence_length": 96})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine") / "log", forked=True)
    engine.open(SOURCE)
    engine.estimate(PLAN)
    yield engine
    engine.end()


def ask(engine: Engine, plan: Plan, first: tuple[str, ...] = ()) -> int:
    """Asks for effects; the request's id."""
    return engine.send(
        lambda number: protocol.ListEffects(id=number, plan=plan, device="cpu", first=first)
    )[0]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Engine]:
    """An engine with a model of two layers: an effect of it takes no time."""
    engine = Engine(tmp_path / "log", forked=True)
    engine.open(recipe(tmp_path))
    yield engine
    engine.end()


@pytest.mark.slow
def test_every_effect_is_told_then_the_end(small: Engine) -> None:
    number = ask(small, PLAN, ("loss.method",))
    told = []
    while isinstance(reply := small.reply(), protocol.Effect):
        assert reply.id == number
        told.append(reply.effect)
    assert isinstance(reply, protocol.EffectsListed)
    assert reply.count == len(told)
    assert told[0].key == "loss.method"
    # an option that a defect keeps from being told would be missing here
    assert reply.complete
    assert {(one.key, one.value) for one in told} == {(one.key, one.value) for one in offers(PLAN)}


def test_other_requests_are_answered_in_between_and_the_effects_go_on(engine: Engine) -> None:
    number = ask(engine, PLAN)
    assert isinstance(engine.reply(), protocol.Effect)
    (layers,) = engine.send(lambda other: protocol.ListLayers(id=other, moment="end_of_forward"))
    kinds = []
    while (reply := engine.reply()).id != layers:
        kinds.append(reply.kind)
    assert isinstance(reply, protocol.Layers)
    assert len(kinds) < len(offers(PLAN)) // 4  # what was on its way already
    assert engine.reply().id == number
    engine.estimate_beside(OTHER, number)


def test_an_estimate_of_another_plan_ends_them_one_of_the_same_does_not(engine: Engine) -> None:
    engine.estimate(PLAN)
    number = ask(engine, PLAN)
    assert isinstance(engine.reply(), protocol.Effect)
    assert not engine.estimate_beside(PLAN, number)
    assert engine.estimate_beside(OTHER, number)


def test_a_newer_list_replaces_an_older_one(engine: Engine) -> None:
    first = ask(engine, PLAN)
    assert engine.reply().id == first
    second = ask(engine, OTHER)
    while not isinstance(reply := engine.reply(), protocol.Superseded):
        assert (reply.id, reply.kind) == (first, "effect")
    assert reply.id == first
    assert engine.reply().id == second
    engine.estimate_beside(PLAN, second)


def test_opening_a_model_ends_them(engine: Engine) -> None:
    engine.estimate(PLAN)
    number = ask(engine, PLAN)
    (opening,) = engine.send(lambda other: protocol.OpenModel(id=other, source=SOURCE))
    found = engine.answers(number, opening)
    assert isinstance(found[number], protocol.Superseded)
    assert isinstance(found[opening], protocol.Opened)


def test_without_a_model_there_are_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = Engine(tmp_path_factory.mktemp("empty") / "log", forked=True)
    try:
        (number,) = (ask(empty, PLAN),)
        reply = empty.answers(number)[number]
        assert isinstance(reply, protocol.Failure)
        assert "No model is open" in reply.sentence
    finally:
        empty.end()


@pytest.mark.slow
def test_an_edit_in_the_middle_is_answered_about_as_soon_as_without(engine: Engine) -> None:
    """Far from exact, as other work shares the machine; that nothing waits for a whole list."""
    engine.open(SOURCE)
    engine.estimate(PLAN)
    seconds = []
    for length in range(104, 168, 8):
        number = ask(engine, PLAN)
        assert isinstance(engine.reply(), protocol.Effect)
        started = time.perf_counter()
        assert engine.estimate_beside(
            PLAN.with_values({"training.sequence_length": length}), number
        )
        seconds.append(time.perf_counter() - started)
        engine.estimate(PLAN)
    assert sorted(seconds)[len(seconds) // 2] < 2.0
