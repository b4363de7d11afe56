"""The estimate of the step that is likely next: made ahead, taken where it is asked for exactly."""

from __future__ import annotations

import sys
from threading import Event

import pytest

from memplanner.estimate import estimate
from memplanner.hardware import find_device
from memplanner.messages import protocol
from memplanner.model import Model, load
from memplanner.plan import Plan
from memplanner.server.next_step import Circumstances, NextStep, following

CARD = find_device("H100 80GB")


@pytest.fixture(scope="module")
def model() -> Model:
    return load("preset:smollm2-135m")


def plan(**training: object) -> Plan:
    return Plan().with_values({f"training.{name}": value for name, value in training.items()})


def of(batch: int) -> Circumstances:
    return Circumstances(plan(batch_size=batch), None, CARD, None)


def request(batch: int) -> protocol.MakeEstimate:
    return protocol.MakeEstimate(id=1, plan=plan(batch_size=batch), device=CARD.selector)


def test_the_next_step_goes_on_by_as_much() -> None:
    assert following(plan(batch_size=4), plan(batch_size=3)) == plan(batch_size=2)
    first, second = (plan(sequence_length=length) for length in (1024, 1536))
    assert following(first, second) == plan(sequence_length=2048)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (plan(batch_size=2), plan(batch_size=1)),  # there is no batch of nothing
        (plan(batch_size=2), plan(batch_size=2)),
        (plan(batch_size=2), plan(batch_size=3, sequence_length=64)),
        (plan(zero_grad="after_step"), plan(zero_grad="before_forward")),
        (Plan(), Plan().with_values({"precision": "fp32"})),
        (Plan(), Plan().with_values({"inference.new_tokens": 7})),
    ],
)
def test_nothing_follows_from_what_is_no_step(before: Plan, after: Plan) -> None:
    assert following(before, after) is None


def test_what_was_made_is_what_an_edit_would_have_got(model: Model) -> None:
    step = NextStep()
    for batch in (2, 3):
        step.follow(of(batch))
    assert step.waits
    step.go_on(model, Event())
    assert not step.waits
    made = step.taken(of(4))
    assert made is not None
    fresh = estimate(model, plan(batch_size=4), CARD).message()
    assert made.message().model_copy(update={"seconds": 0.0}) == fresh.model_copy(
        update={"seconds": 0.0}
    )
    assert step.taken(of(4)) is None  # once


def test_it_is_taken_for_nothing_else(model: Model) -> None:
    for asked in (of(5), of(4)._replace(rank=0), of(4)._replace(device=find_device("cpu"))):
        step = NextStep()
        for batch in (2, 3):
            step.follow(of(batch))
        step.go_on(model, Event())
        assert step.taken(asked) is None


def test_another_device_or_model_begins_anew() -> None:
    step = NextStep()
    step.follow(of(2)._replace(device=find_device("cpu")))
    step.follow(of(3))
    assert not step.waits
    step.follow(of(4))
    assert step.waits
    step.forget()
    assert not step.waits


def test_it_is_given_up_where_something_else_is_asked(model: Model) -> None:
    step, asked = NextStep(), Event()
    for batch in (2, 3):
        step.follow(of(batch))
    asked.set()
    step.go_on(model, asked)
    assert not step.waits
    assert step.taken(of(4)) is None


def test_the_very_request_waits_for_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    step, seen = NextStep(), []

    def look(*_: object, **__: object) -> object:
        seen.extend([step.is_making(request(4)), step.is_making(request(6))])
        return estimate(model, plan(batch_size=4), CARD)

    for batch in (2, 3):
        step.follow(of(batch))
    assert not step.is_making(request(4))  # nothing is made yet
    monkeypatch.setattr(sys.modules["memplanner.estimate"], "estimate", look)
    step.go_on(model, Event())
    assert seen == [True, False]
    assert not step.is_making(request(4))
