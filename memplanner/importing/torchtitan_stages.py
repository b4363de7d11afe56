"""Which blocks torchtitan gives to a pipeline's stages (``distributed/pipeline_parallel.py``).

What lies before the first block and behind the last counts as so many blocks; then all are dealt
out evenly, those that are left over to the first stages.
"""

from __future__ import annotations

from itertools import product

USUAL_WEIGHT = 1
"""As how many blocks the ends count, unless a flag says otherwise."""
SEVERAL = 2
"""Stages a card of a schedule of several, unless the blocks of a stage are said."""


def blocks_of_stages(blocks: int, stages: int, first: int, last: int) -> tuple[int, ...]:
    """How many blocks each stage gets, where the ends count as ``first`` and ``last``."""
    each, rest = divmod(blocks + first + last, stages)
    counts = [each + (place < rest) for place in range(stages)]
    counts[0] -= first
    counts[-1] -= last
    return tuple(counts)


def weights_of(counts: tuple[int, ...]) -> tuple[int, int] | None:
    """What the ends must count for these blocks to come out, the nearest to the usual.

    None where none does: torchtitan takes no weight above an even share.
    """
    stages, blocks = len(counts), sum(counts)
    found = [
        (first, last)
        for first, last in product(range(max(counts) + 1), repeat=2)
        if max(first, last) <= (blocks + first + last) // stages
        and blocks_of_stages(blocks, stages, first, last) == counts
    ]
    return min(found, key=lambda pair: sum(abs(one - USUAL_WEIGHT) for one in pair), default=None)
