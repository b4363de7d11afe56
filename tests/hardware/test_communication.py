"""What NCCL holds beside the allocator."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memplanner.hardware.communication import communication, group_count
from memplanner.plan.sharding import Sharding


def test_one_card_talks_to_nobody() -> None:
    assert communication(Sharding()) == ()


def test_a_card_is_in_a_group_for_each_kind_of_parallelism() -> None:
    assert group_count(Sharding(cards_per_node=8, data="zero_3")) == 1
    assert group_count(Sharding(cards_per_node=8, tensor=8)) == 1
    section = Sharding(nodes=4, cards_per_node=8, tensor=2, pipeline=4, data="zero_3", replicas=2)
    assert group_count(section) == 4
    experts = Sharding(cards_per_node=8, expert=4, data="zero_3")
    assert group_count(experts) == 3, "all of them, those with a share, and those with its copies"


@given(tensor=st.sampled_from([1, 2, 4, 8]), pipeline=st.sampled_from([1, 2, 4]))
def test_more_groups_take_more_at_every_end(tensor: int, pipeline: int) -> None:
    section = Sharding(nodes=4, cards_per_node=8, tensor=tensor, pipeline=pipeline)
    (row,) = communication(section) or (None,)
    if row is not None:
        assert 0 < row.low_bytes < row.expected_bytes < row.high_bytes
        assert row.expected_bytes % group_count(section) == 0
