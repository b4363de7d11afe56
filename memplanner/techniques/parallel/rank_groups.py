"""Ranks that hold about the same: the fullest of each kind is recorded, and stands for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memplanner.plan.sharding import Sharding


@dataclass(frozen=True, slots=True)
class RankGroup:
    """The ranks of one pipeline stage."""

    first: int
    """The one that holds most; the others hold as much, or a little less."""
    count: int
    stage: int
    """Along the pipeline, counted from 0."""


def rank_groups(section: Sharding, sizes: Sequence[int] = ()) -> tuple[RankGroup, ...]:
    """The ranks by what they hold, the first pipeline stage first.

    Data-parallel, tensor-parallel and context-parallel neighbours hold equal shares: torch pads
    them, and where a dimension does not divide, the first of them has most
    (``torch/distributed/tensor/placement_types.py: Shard``). Under ZeRO-1 whole parameters of
    ``sizes`` (elements, in the model's order) are dealt out, and shares differ by less than the
    largest of them.
    """
    in_stage = section.ranks // section.pipeline
    fullest = 0
    if section.data == "zero_1" and section.data_degree > 1:
        shares = dealt_out(sizes, section.data_degree)
        fullest = shares.index(max(shares)) * (in_stage // section.data_degree)
    return tuple(
        RankGroup(stage * in_stage + fullest, in_stage, stage) for stage in range(section.pipeline)
    )


def dealt_out(sizes: Sequence[int], ranks: int) -> list[int]:
    """How much each rank gets where whole parameters are dealt out, as torch does it.

    The largest first, each to the rank that has least, the first of several
    (``torch/distributed/optim/zero_redundancy_optimizer.py: _partition_parameters``).
    """
    shares = [0] * ranks
    for size in sorted(sizes, reverse=True):
        shares[shares.index(min(shares))] += size
    return shares
