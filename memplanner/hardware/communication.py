"""What NCCL keeps on a card for the groups that it talks in, outside of torch's allocator."""

from __future__ import annotations

from memplanner.hardware.margin import Margin
from memplanner.hardware.overhead import row_of
from memplanner.messages.estimate import OverheadRow
from memplanner.plan.sharding import Sharding

BUFFER_BYTES = 4 * 2**20
"""Of one connection of one channel: the default of ``NCCL_BUFFSIZE`` (NCCL's documentation)."""
CHANNELS_AND_CONNECTIONS = (2, 2), (16, 2), (32, 4)
"""Of one group, at the low end, as expected, at the high end.

32 channels are the most that NCCL's documentation names, and it takes fewer on slow links; a ring
has two connections a channel, a tree beside it at most as many again.
"""
NAME = "NCCL buffers"


def group_count(section: Sharding) -> int:
    """In how many groups of more than one card each card is."""
    shards = section.shard_degree
    degrees = [section.pipeline, section.replicas, shards, section.context, section.tensor]
    if section.expert > 1:  # experts have a mesh of their own: their share, and the copies of it
        degrees += [section.expert, section.ranks // section.expert]
    return sum(degree > 1 for degree in degrees)


def communication(section: Sharding) -> tuple[OverheadRow, ...]:
    """The row of what NCCL holds; none on one card."""
    groups = group_count(section)
    if not groups:
        return ()
    low, expected, high = (
        groups * channels * connections * BUFFER_BYTES
        for channels, connections in CHANNELS_AND_CONNECTIONS
    )
    margin = Margin(low, expected, high)
    return (row_of(NAME, margin, "NCCL's documented defaults, not measured"),)
