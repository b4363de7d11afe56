"""Plans compared by an engine process: each as if it were estimated alone, and nothing waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memplanner.messages import protocol
from memplanner.plan import Plan
from tests.engine import Engine

SOURCE = "preset:smollm2-135m"
PLAN = Plan.parse({"training": {"batch_size": 1, "sequence_length": 64}})
LARGER = PLAN.with_values({"training.batch_size": 2})
RECOMPUTED = PLAN.with_values({"activation_checkpointing.policy": "full"})
IMPOSSIBLE = PLAN.with_values({"optimizer.implementation": "bitsandbytes_paged_8bit"})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine") / "log", forked=True)
    engine.open(SOURCE)
    engine.estimate(PLAN)
    yield engine
    engine.end()


def compare(engine: Engine, *plans: Plan) -> int:
    """Asks for plans side by side; the request's id."""
    return engine.send(lambda number: protocol.ComparePlans(id=number, plans=plans, device="cpu"))[
        0
    ]


def test_each_plan_is_told_as_if_it_were_estimated_alone(engine: Engine) -> None:
    number = compare(engine, LARGER, PLAN, RECOMPUTED)
    compared = engine.answers(number)[number]
    assert isinstance(compared, protocol.Compared)
    for plan, outcome in zip((LARGER, PLAN, RECOMPUTED), compared.outcomes, strict=True):
        alone = engine.estimate(plan).estimate
        assert outcome.estimate is not None
        for told in ("plan", "peak", "layers", "timeline", "verdict", "overhead"):
            assert getattr(outcome.estimate, told) == getattr(alone, told)


def test_the_last_estimate_stays(engine: Engine) -> None:
    engine.estimate(PLAN)
    before = engine.ask(protocol.Layers, protocol.ListLayers, moment="end_of_forward")
    number = compare(engine, LARGER)
    assert isinstance(engine.answers(number)[number], protocol.Compared)
    after = engine.ask(protocol.Layers, protocol.ListLayers, moment="end_of_forward")
    assert after.layers == before.layers


def test_a_plan_that_cannot_be_carried_out_says_why_and_the_others_are_told(
    engine: Engine,
) -> None:
    number = compare(engine, IMPOSSIBLE, PLAN)
    compared = engine.answers(number)[number]
    assert isinstance(compared, protocol.Compared)
    refused, fine = compared.outcomes
    assert refused.estimate is None
    assert refused.sentence.endswith(".")
    assert fine.estimate is not None
    assert not fine.sentence


def test_nothing_to_compare_is_answered(engine: Engine) -> None:
    number = compare(engine)
    assert engine.answers(number)[number] == protocol.Compared(id=number, outcomes=())


def test_other_requests_are_answered_between_two_plans(engine: Engine) -> None:
    plans = [PLAN.with_values({"training.sequence_length": 200 + 8 * n}) for n in range(12)]
    _, layers = engine.send(
        lambda one: protocol.ComparePlans(id=one, plans=tuple(plans), device="cpu"),
        lambda other: protocol.ListLayers(id=other, moment="peak"),
    )
    assert engine.reply().id == layers
    compared = engine.reply()
    assert isinstance(compared, protocol.Compared)
    assert len(compared.outcomes) == len(plans)


def test_a_newer_comparison_and_another_model_end_an_older_one(engine: Engine) -> None:
    plans = [PLAN.with_values({"training.sequence_length": 304 + 8 * n}) for n in range(12)]
    first, second, opening = engine.send(
        lambda one: protocol.ComparePlans(id=one, plans=tuple(plans), device="cpu"),
        lambda one: protocol.ComparePlans(id=one, plans=tuple(plans), device="cpu"),
        lambda other: protocol.OpenModel(id=other, source=SOURCE),
    )
    found = engine.answers(first, second, opening)
    for number in (first, second):
        assert isinstance(found[number], protocol.Superseded)
    assert isinstance(found[opening], protocol.Opened)


def test_without_a_model_there_is_nothing_to_compare(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    empty = Engine(tmp_path_factory.mktemp("empty") / "log", forked=True)
    try:
        number = compare(empty, PLAN)
        reply = empty.answers(number)[number]
        assert isinstance(reply, protocol.Failure)
        assert "No model is open" in reply.sentence
    finally:
        empty.end()
