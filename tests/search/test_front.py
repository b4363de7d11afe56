"""The front: exactly the plans that no other beats."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memplanner.messages.cost import RISKS
from memplanner.search.front import Cost, front

known = st.builds(
    Cost,
    st.integers(0, 12),
    st.sampled_from([0.25, 0.5, 1.0, 2.0]),
    st.sampled_from(RISKS),
)
unknown = st.builds(Cost, st.integers(0, 12), st.none(), st.sampled_from(RISKS))
costs = st.lists(known, max_size=40) | st.lists(unknown, max_size=40)


@given(costs)
def test_the_front_is_what_brute_force_finds(found: list[Cost]) -> None:
    expected = [
        place
        for place, cost in enumerate(found)
        if not any(other.beats(cost) for other in found) and cost not in found[:place]
    ]
    assert front(found) == expected


@given(costs)
def test_every_plan_is_on_the_front_or_beaten_by_one_that_is(found: list[Cost]) -> None:
    kept = [found[place] for place in front(found)]
    assert all(cost in kept or any(other.beats(cost) for other in kept) for cost in found)
