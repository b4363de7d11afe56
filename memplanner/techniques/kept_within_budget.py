"""What recomputed blocks keep within a number of bytes: the best time spared.

Every operation of a block whose result is not kept runs again in backward, up to the last one
that anything there needs (``torch/utils/checkpoint.py``: early stop). So the time spared is a
sum over the results that are kept, and the choice a knapsack. It is solved exactly by lists of
undominated choices (Nemhauser and Ullmann 1969, "Discrete dynamic programming and capital
allocation"), which do not depend on the budget: a larger one never recomputes more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from memplanner.units import format_bytes

BlockClass = tuple[str, int]
"""Alike blocks: the path of their list and a number for each kind of block in it."""
Operations = frozenset[tuple[str, int]]
"""Results, each by its operation and how many of that name came before it in the block."""

LONGEST_LIST = 1024
"""Choices that are carried on at once. More are thinned out evenly over the bytes: the choice is
then within about a thousandth of the best, and still never over the budget."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one operation makes in all blocks of a class."""

    operation: tuple[str, int]
    size_bytes: int
    time_ps: int
    """Estimated picoseconds that it takes to make it again."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """All blocks of a class together."""

    key: BlockClass
    results: tuple[Result, ...]
    kept_bytes: int
    """What they keep where none is recomputed, beside their inputs."""
    time_ps: int
    """Estimated picoseconds of all that is run again where they keep nothing."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The choice: what the blocks of each class keep; None for those that are not recomputed."""

    operations: Mapping[BlockClass, Operations | None]
    size_bytes: int
    recomputed: float
    """The share of the blocks' forward that is run again, in estimated time."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the blocks of a model keep within the plan's budget; call it with the blocks."""

    kept: Kept
    budget_bytes: int

    def __call__(self, blocks: Sequence[tuple[BlockClass, Any]]) -> Sequence[Operations | None]:
        """For each block what it keeps; None for one that is not recomputed."""
        return [self.kept.operations[key] for key, _ in blocks]

    @property
    def note(self) -> str:
        """What the budget is spent on, in words."""
        return (
            f"Of the budget of {_size(self.budget_bytes)}, blocks keep "
            f"{_size(self.kept.size_bytes)}, and {self.kept.recomputed:.0%} of their "
            "forward is run again, in time estimated from operations and bytes moved; the choice "
            "depends on batch and sequence."
        )


class State(NamedTuple):
    """One choice: what it takes and spares, and how it came about."""

    size_bytes: int
    time_ps: int
    before: State | None
    added: tuple[BlockClass, tuple[str, int] | None] | None
    """What this choice keeps beside ``before``; a class with None is not recomputed at all."""


def _size(size_bytes: int) -> str:
    return format_bytes(size_bytes) if size_bytes else "0 bytes"


def choose(blocks: Sequence[Blocks], states: Sequence[State], budget_bytes: int) -> Kept:
    """What to keep for at most ``budget_bytes``, so that the least time is run again.

    ``states`` is the ``frontier`` of ``blocks``.
    """
    best = states[bisect_right(states, budget_bytes, key=lambda state: state.size_bytes) - 1]
    operations: dict[BlockClass, Operations | None] = {part.key: frozenset() for part in blocks}
    at: State | None = best
    while at is not None:
        if at.added is not None:
            key, operation = at.added
            known = operations[key]
            if operation is None or known is None:
                operations[key] = None
            else:
                operations[key] = known | {operation}
        at = at.before
    whole = sum(part.time_ps for part in blocks)
    recomputed = 1 - best.time_ps / whole if whole else 0.0
    return Kept(operations, best.size_bytes, recomputed)


def frontier(blocks: Sequence[Blocks]) -> list[State]:
    """The choices that no other one beats, from no byte to all."""
    states = [State(0, 0, None, None)]
    for part in blocks:
        chosen = states
        for result in part.results:
            with_it = [
                State(
                    state.size_bytes + result.size_bytes,
                    state.time_ps + result.time_ps,
                    state,
                    (part.key, result.operation),
                )
                for state in chosen
            ]
            chosen = _undominated(chosen, with_it)
        whole = [
            State(
                state.size_bytes + part.kept_bytes,
                state.time_ps + part.time_ps,
                state,
                (part.key, None),
            )
            for state in states
        ]
        states = _undominated(chosen, whole)
    return states


def _undominated(one: list[State], other: list[State]) -> list[State]:
    """Those of both that spare more time than every smaller one, the smallest first."""
    found: list[State] = []
    for state in sorted([*one, *other], key=lambda state: (state.size_bytes, -state.time_ps)):
        if not found or state.time_ps > found[-1].time_ps:
            found.append(state)
    if len(found) <= LONGEST_LIST:
        return found
    step = found[-1].size_bytes / (LONGEST_LIST - 1)
    thinned: dict[int, State] = {}  # the best of each stretch of bytes
    for state in found:
        thinned[int(state.size_bytes / step)] = state
    return [found[0], *(state for state in thinned.values() if state.size_bytes)]
