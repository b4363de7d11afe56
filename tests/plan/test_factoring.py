"""Which degrees go together: what is offered can be chosen, and what is not is refused."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.factoring import (
    DEGREES,
    Degree,
    allowed,
    changed,
    degree_of,
    divisors,
    nearest,
)
from memplanner.plan.sharding import Sharding


@st.composite
def sections(draw: st.DrawFn) -> Sharding:
    """Valid sections, built from their factors."""
    small = st.integers(1, 4)
    tensor, pipeline, context = draw(small), draw(small), draw(small)
    expert, others = draw(small), draw(small)
    ranks = tensor * pipeline * context * expert * others
    cards = draw(st.sampled_from(divisors(ranks)))
    replicas = draw(st.sampled_from(divisors(expert * others)))
    return Sharding(
        nodes=ranks // cards,
        cards_per_node=cards,
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        expert=expert,
        replicas=replicas,
        data="zero_3",
    )


degrees = st.sampled_from(DEGREES)


@given(st.integers(1, 5000))
def test_divisors_are_all_that_divide(whole: int) -> None:
    assert divisors(whole) == tuple(n for n in range(1, whole + 1) if whole % n == 0)


def test_divisors_of_many_cards_take_no_time() -> None:
    assert divisors(2**28)[-1] == 2**28


@given(st.sets(st.integers(1, 60), min_size=1), st.integers(1, 60))
def test_nearest_are_the_neighbours(values: set[int], asked: int) -> None:
    found = nearest(sorted(values), asked)
    assert all(value in values and value != asked for value in found)
    for value in values - {asked}:
        side = [one for one in found if (one < asked) == (value < asked)]
        assert len(side) == 1
        assert abs(side[0] - asked) <= abs(value - asked)


@given(sections(), degrees, st.data())
def test_what_is_offered_can_be_chosen(
    section: Sharding, degree: Degree, data: st.DataObject
) -> None:
    offered = allowed(section, degree)
    assert getattr(section, degree) in offered
    assert list(offered[:50]) == sorted(set(offered[:50]))
    value = data.draw(st.sampled_from(offered[:50]))
    new = changed(section, degree, value)
    assert getattr(new, degree) == value
    assert new.data_degree * new.tensor * new.pipeline * new.context == new.ranks
    follow = {"replicas", "expert", degree}
    for other in set(DEGREES) - follow:
        assert getattr(new, other) == getattr(section, other)


@given(sections(), degrees, st.integers(1, 64))
def test_what_is_not_offered_is_refused(section: Sharding, degree: Degree, value: int) -> None:
    assume(value not in allowed(section, degree))
    with pytest.raises(ValidationError):
        changed(section, degree, value)


@given(sections(), degrees)
def test_a_change_to_what_it_is_changes_nothing(section: Sharding, degree: Degree) -> None:
    assert changed(section, degree, getattr(section, degree)) == section


@given(sections(), st.integers(1, 64))
def test_refusals_name_degrees_that_work(section: Sharding, tensor: int) -> None:
    plan = Plan(sharding=section)
    taken = tensor * section.pipeline * section.context
    assume(section.ranks % taken)
    with pytest.raises(PlanError, match="choose degrees whose product is") as refused:
        plan.with_values({"sharding.tensor": tensor})
    words = str(refused.value).split("product is ")[1].rstrip(".")
    products = [int(word) for word in words.split(" or ")]
    assert all(section.ranks % product == 0 for product in products)


def test_stages_by_hand_are_dropped_where_there_are_others() -> None:
    section = Sharding(cards_per_node=8, pipeline=2, stage_blocks=(10, 22))
    assert changed(section, "pipeline", 4).stage_blocks == ()
    assert changed(section, "tensor", 2).stage_blocks == (10, 22)


def test_experts_and_replicas_keep_what_still_divides() -> None:
    section = Sharding(cards_per_node=8, expert=8, replicas=4, data="zero_3")
    new = changed(section, "tensor", 4)
    assert (new.expert, new.replicas, new.data_degree) == (2, 2, 2)


def test_keys_of_degrees_are_known() -> None:
    assert degree_of("sharding.tensor") == "tensor"
    assert degree_of("sharding.schedule") is None
    assert degree_of("training.batch_size") is None
    assert prod(getattr(Sharding(), degree) for degree in DEGREES) == 1
