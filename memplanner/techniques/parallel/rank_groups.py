"""Ranks that hold about the same: the fullest of each kind is recorded, and stands for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.shared_states import shares_states


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

    Data-parallel, tensor-parallel and context-parallel neighbours hold equal shares, the last of a
    ring a little less than the others: torch pads them, and where a dimension does not divide, the
    first of them has most (``torch/distributed/tensor/placement_types.py: Shard``). Under ZeRO-1
    whole parameters of ``sizes`` (elements of each that is trained) are dealt out, and shares
    differ by less than the largest of them.
    """
    in_stage = section.ranks // section.pipeline
    fullest = 0
    if shares_states(section):
        shares = dealt_out(sizes, section.gradient_degree)
        fullest = shares.index(max(shares)) * (in_stage // section.gradient_degree)
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
