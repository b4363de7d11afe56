"""The tokens of a generation that were not recorded, put between those that were.

A cache that grows is made anew for every token, a little larger, and the old one is freed: that
splits and joins the allocator's large segments as neither the first token nor the last does. On a
tape, a ramp leads from one recorded token to another. Here each token between them allocates and
frees what the two do, with sizes in between. Sizes up to 1 MiB are left out: they live in a pool of
their own (``c10/cuda/CUDACachingAllocator.cpp: kSmallSize``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from memplanner.estimate.allocator.loop import TrainingLoop
from memplanner.messages.estimate import Span
from memplanner.tape.tape import Array, Tape

SMALL_BYTES = 2**20
GROWTH_BYTES = 2**19
"""What a tensor grows from one token that is replayed to the next: the others between add nothing.

Large segments come in steps of 2 MiB (``kRoundLarge``): what counts is that none is passed over.
"""
MOST_EVENTS = 40_000
"""Of one generation's ramps: where these do not suffice, steps are larger."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """What lies on a tape between decodes ``first`` and ``last``, counted from 0."""

    before: Span
    here: Span
    after: Span

    @property
    def tokens(self) -> int:
        """How many lie between the two."""
        return self.after.micro_batch - self.before.micro_batch - 1


@dataclass(slots=True)
class _Grown:
    """Events in the place of a ramp, and the sizes of storages that are on no tape."""

    known: int
    """Storages of the tape."""
    sizes: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    replaced: set[int] = field(default_factory=set)
    """Storages whose events on the ramp are among these."""

    def make(self, size_bytes: int) -> int:
        """A storage that is on no tape."""
        self.sizes.append(size_bytes)
        return self.known + len(self.sizes) - 1


def ramps(tape: Tape) -> list[Ramp]:
    """Every ramp of a generation's tape that tokens lie in."""
    decodes = [span for span in tape.phases if span.phase == "decode" and span.stop > span.start]
    found = [
        Ramp(*three)
        for three in zip(decodes, decodes[1:], decodes[2:], strict=False)
        if three[1].micro_batch + 1 == three[2].micro_batch
    ]
    return [ramp for ramp in found if ramp.tokens > 0]


def with_tokens(loop: TrainingLoop, tape: Tape) -> tuple[TrainingLoop, bool]:
    """The loop with the tokens between recorded ones, and whether all ramps could be filled."""
    found = ramps(tape)
    filled, whole = loop, True
    for ramp in found:
        grown = _grown(tape, ramp, len(filled.size_bytes), MOST_EVENTS // len(found))
        if grown is None:
            whole = False
        elif grown.events:
            filled = _inserted(filled, ramp, grown)
    return filled, whole


def _pairs(tape: Tape, ramp: Ramp) -> Iterator[tuple[int, int]]:
    """What dies on the ramp, and what takes its place: only what is large and grows."""
    events = tape.events[ramp.here.start : ramp.here.stop].tolist()
    for death, birth in pairwise(events):
        if death < 0 < birth:
            before, after = -death - 1, birth - 1
            grows = tape.size_bytes[before] < tape.size_bytes[after] > SMALL_BYTES
            if grows and tape.module[before] == tape.module[after]:
                yield before, after


def _grown(tape: Tape, ramp: Ramp, known: int, most: int) -> _Grown | None:
    """What the tokens of a ramp do; None where its two ends do not do the same."""
    grown = _Grown(known)
    role_of = dict(_pairs(tape, ramp))
    if not role_of:
        return grown
    first = tape.events[ramp.before.start : ramp.before.stop]
    last = tape.events[ramp.after.start : ramp.after.stop]
    count = min(len(first), len(last))  # the last token of all ends what the first does not
    apart = np.flatnonzero(np.sign(first[:count]) != np.sign(last[:count]))
    count = int(apart[0]) if len(apart) else count
    first, last = first[:count], last[:count]
    born = set((first[first > 0] - 1).tolist())
    died = set((-last[last < 0] - 1).tolist())
    if not born.issuperset(role_of) or not died.issuperset(role_of.values()):
        return None
    size_bytes = tape.size_bytes
    successor = {after: before for before, after in role_of.items()}
    gone = set((-first[first < 0] - 1).tolist())
    steps = _steps(first, last, size_bytes, role_of, successor, gone)
    if not steps:
        return grown
    growth = max(int(size_bytes[after] - size_bytes[before]) for before, after in role_of.items())
    wanted = min(ramp.tokens, -(-growth // GROWTH_BYTES), max(1, most // len(steps)))
    tokens = np.unique(np.linspace(1, ramp.tokens, wanted + 1).round()).astype(np.int64)
    standing = {before: before for before in role_of}
    distance = ramp.tokens + 1
    for token in tokens.tolist():
        is_last = token == ramp.tokens
        made: dict[int, int] = {}
        for birth, storage, small, large in steps:
            if birth:
                size = small + (large - small) * token // distance
                end = role_of.get(storage) if is_last else None
                made[storage] = grown.make(size) if end is None else end
                grown.events.append(made[storage] + 1)
            else:
                held = standing if storage in standing and large < 0 else made
                grown.events.append(-(held[storage] + 1))
        standing.update({role: made[role] for role in role_of})
    grown.replaced = {*role_of, *role_of.values()}
    return grown


def _steps(
    first: Array,
    last: Array,
    size_bytes: Array,
    role_of: dict[int, int],
    successor: dict[int, int],
    gone: set[int],
) -> list[tuple[bool, int, int, int]]:
    """What one token does: birth or death, storage by its name in the first, its two sizes.

    A death of what the token before has left has the sizes −1.
    """
    steps: list[tuple[bool, int, int, int]] = []
    large: set[int] = set()
    for event, other in zip(first.tolist(), last.tolist(), strict=True):
        storage = abs(event) - 1
        if event > 0:
            sizes = int(size_bytes[storage]), int(size_bytes[other - 1])
            if storage in role_of or (storage in gone and max(sizes) > SMALL_BYTES):
                large.add(storage)
                steps.append((True, storage, *sizes))
        elif storage in large:
            steps.append((False, storage, 0, 0))
        elif -other - 1 in successor:
            steps.append((False, successor[-other - 1], -1, -1))
    return steps


def _inserted(loop: TrainingLoop, ramp: Ramp, grown: _Grown) -> TrainingLoop:
    new = np.array(grown.events, dtype=np.int64)
    sizes = np.concatenate([loop.size_bytes, np.array(grown.sizes, dtype=np.int64)])
    replaced = np.array(sorted(grown.replaced), dtype=np.int64)

    def put_in(events: Array, places: Array) -> tuple[Array, Array]:
        inside = (places >= ramp.here.start) & (places < ramp.here.stop)
        kept = ~(inside & np.isin(np.abs(events) - 1, replaced))
        events, places = events[kept], places[kept]
        at = int(np.searchsorted(places, ramp.here.start))
        return np.insert(events, at, new), np.insert(places, at, [ramp.here.start] * len(new))

    first, first_places = put_in(loop.first, loop.first_places)
    steady, steady_places = put_in(loop.steady, loop.steady_places)
    stream = loop.stream
    if stream is not None:
        stream = np.concatenate([stream, np.zeros(len(grown.sizes), dtype=np.int64)])
    return replace(
        loop,
        size_bytes=sizes,
        stream=stream,
        first=first,
        first_places=first_places,
        steady=steady,
        steady_places=steady_places,
    )
