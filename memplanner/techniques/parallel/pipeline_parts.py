"""Dealing a model's blocks out to the stages of a pipeline: arithmetic on bytes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from memplanner.errors import PlanError
from memplanner.plan.sharding import Sharding


@dataclass(frozen=True, slots=True)
class Part:
    """Stage ``stage`` of ``stages``: the blocks from ``start`` to ``stop`` (exclusive)."""

    stage: int
    stages: int
    start: int
    stop: int

    @property
    def is_first(self) -> bool:
        """Whether it has what comes before the blocks, such as the embedding."""
        return self.stage == 0

    @property
    def is_last(self) -> bool:
        """Whether it has what comes after the blocks, such as the head, and computes the loss."""
        return self.stage == self.stages - 1


def stage_count(section: Sharding) -> int:
    """Into how many stages the model is cut: one a card, or several."""
    several = section.schedule in {"interleaved_1f1b", "zero_bubble"}
    return section.pipeline * (section.stages_per_card if several else 1)


def place_in_pipeline(section: Sharding, rank: int) -> int:
    """Which card along the pipeline a rank is: the mesh's outermost dimension."""
    return rank // (section.ranks // section.pipeline)


def parts_of_rank(parts: Sequence[Part], section: Sharding, rank: int) -> tuple[Part, ...]:
    """The stages that a rank holds: they go round the cards, as torch's looped schedules ask."""
    return tuple(parts[place_in_pipeline(section, rank) :: section.pipeline])


def deal_blocks(
    block_bytes: Sequence[int], before_bytes: int, after_bytes: int, section: Sharding
) -> tuple[Part, ...]:
    """The blocks dealt out as the plan says, or so that the largest stage is the smallest.

    ``before_bytes`` lie on the first stage, ``after_bytes`` on the last. Of equal balances the one
    with fewer blocks on earlier stages is taken: they have more micro-batches in flight. Raises
    ``PlanError`` where there are fewer blocks than stages, or other blocks than the plan names.
    """
    return _dealt(tuple(block_bytes), before_bytes, after_bytes, section)


@lru_cache(maxsize=64)
def _dealt(
    block_bytes: tuple[int, ...], before_bytes: int, after_bytes: int, section: Sharding
) -> tuple[Part, ...]:
    stages, blocks = stage_count(section), len(block_bytes)
    if stages > blocks:
        raise PlanError(
            f"{stages} stages need as many blocks, and this model has {blocks}; choose "
            f"{_fewer(section, blocks)}."
        )
    if section.stage_blocks:
        counts = section.stage_blocks
        if len(counts) != stages or sum(counts) != blocks or min(counts) < 1:
            balanced = _counts(block_bytes, before_bytes, after_bytes, stages)
            raise PlanError(
                f"sharding.stage_blocks={','.join(map(str, counts))} must give each of {stages} "
                f"stages some of the model's {blocks} blocks, all of them together; choose "
                f"{','.join(map(str, balanced))}."
            )
    else:
        counts = _counts(block_bytes, before_bytes, after_bytes, stages)
    parts, start = [], 0
    for stage, count in enumerate(counts):
        parts.append(Part(stage, stages, start, start + count))
        start += count
    return tuple(parts)


def _fewer(section: Sharding, blocks: int) -> str:
    """The most that the model's blocks allow, in the plan's own words."""
    a_card = stage_count(section) // section.pipeline
    if a_card == 1 or blocks < 2 * a_card:
        return f"sharding.pipeline={max(blocks // a_card, 1)}"
    cards = max(card for card in range(1, section.pipeline + 1) if card * a_card <= blocks)
    return f"sharding.pipeline={cards} or sharding.schedule=1f1b"


def _counts(
    block_bytes: Sequence[int], before_bytes: int, after_bytes: int, stages: int
) -> tuple[int, ...]:
    """How many blocks each stage gets, for the smallest largest stage: a search over its size."""
    weights = list(block_bytes)
    weights[0] += before_bytes
    weights[-1] += after_bytes
    low, high = max(weights), sum(weights)
    while low < high:
        middle = (low + high) // 2
        if _filled(weights, middle, stages) is None:
            low = middle + 1
        else:
            high = middle
    found = _filled(weights, low, stages)
    assert found is not None
    return found


def _filled(weights: Sequence[int], limit: int, stages: int) -> tuple[int, ...] | None:
    """Stages filled up to ``limit`` from the last to the first; None where blocks are left over."""
    counts, left = [], len(weights)
    for earlier in reversed(range(stages)):
        count = total = 0
        while left > earlier and total + weights[left - 1] <= limit:
            left -= 1
            total += weights[left]
            count += 1
        if not count:
            return None
        counts.append(count)
    return tuple(reversed(counts)) if left == 0 else None
