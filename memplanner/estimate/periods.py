"""The periods of a recorded tape: which of its events belong to which of the kept blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from memplanner.tape.tape import Array, Tape

KEPT = 4
"""Periods that are recorded: a first, two that are compared, a last."""
NONE = -1


@dataclass(frozen=True, slots=True)
class Cut:
    """A run of blocks that was cut to ``KEPT`` periods before recording."""

    path: str
    start: int
    """The index of the run's first block in its list."""
    period: int
    """Blocks that make one period."""
    periods: int
    """Periods that the whole model has."""

    @property
    def stop(self) -> int:
        """The index after the run's last block."""
        return self.start + self.periods * self.period

    def moved(self, by: int) -> Cut:
        """The run of a list that begins ``by`` blocks earlier."""
        return replace(self, start=self.start + by)

    def without_first(self) -> Cut:
        """The run without its first period."""
        return replace(self, start=self.start + self.period, periods=self.periods - 1)


class Stretch(NamedTuple):
    """Consecutive events of one period."""

    label: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Periods:
    """The kept periods of one cut, found on the tape."""

    blocks: Array
    """For each module the index of its block in the list, or −1."""
    labels: Array
    """For each event its period, or −1."""
    births: tuple[Array, ...]
    """For each period the storages that are born in it, in order."""
    stretches: tuple[Stretch, ...]
    pairs: tuple[int, ...]
    """The stretches of period 1 or 2 that are followed by the other one's."""

    @classmethod
    def of(cls, tape: Tape, cut: Cut) -> Periods | None:
        """The periods of ``cut``, or None where the middle ones are not alike."""
        blocks = _block_numbers(tape.module_names, cut.path)
        labels = _labels(tape, cut, blocks)
        births = _births(tape, labels)
        if not _alike(tape, births[1], births[2]):
            return None
        stretches = _stretches(tape, labels)
        pairs = _pairs(stretches)
        return None if pairs is None else cls(blocks, labels, births, stretches, pairs)


def _block_numbers(names: tuple[str, ...], path: str) -> Array:
    """For each module the index of its block in the list at ``path``, or −1."""
    prefix = path + "." if path else ""
    numbers = np.full(len(names), NONE, dtype=np.int64)
    for index, name in enumerate(names):
        if name.startswith(prefix):
            number, _, _ = name[len(prefix) :].partition(".")
            if number.isdigit():
                numbers[index] = int(number)
    return numbers


def _labels(tape: Tape, cut: Cut, blocks: Array) -> Array:
    """The period that each event belongs to, or −1."""
    period = np.where(
        (blocks >= cut.start) & (blocks < cut.start + KEPT * cut.period),
        (blocks - cut.start) // cut.period,
        NONE,
    )
    owner = period[tape.module[np.abs(tape.events) - 1]]
    labels = period[tape.context]
    in_none = labels == NONE
    for span in tape.phases:
        inside = slice(span.start, span.stop)
        if span.phase in {"forward", "backward", "prefill", "decode"}:
            _glue(labels[inside])
        elif span.phase == "optimizer_step":
            # A loop drops the last parameter's temporaries while it updates the next; lists of
            # temporaries die with no parameter at work, each for its owner.
            near = (labels[inside] != NONE) & (np.abs(owner[inside] - labels[inside]) <= 1)
            labels[inside] = np.where(near, labels[inside], owner[inside])
        else:
            labels[inside] = owner[inside]
    # What a block leaves behind may die outside: it dies once for every copy.
    birth_label = np.full(len(tape.size_bytes), NONE, dtype=np.int64)
    born = tape.events > 0
    birth_label[tape.events[born] - 1] = labels[born]
    born_in = birth_label[np.abs(tape.events) - 1]
    # Glue took what the last run period leaves behind for the first one's own, or the other way.
    far = (np.minimum(born_in, labels) != NONE) & (abs(born_in - labels) > 1)
    across = far & in_none & (abs(born_in - labels) == KEPT - 1)
    outside = ((labels == NONE) | across) & ~born
    for span in tape.phases:
        inside = slice(span.start, span.stop)
        worked = np.flatnonzero(born[inside] & (labels[inside] != NONE)).max(initial=NONE)
        after = slice(span.start + int(worked) + 1, span.stop)
        if far[after].any():  # a graph is let go of, block by block, after the last one's work
            labels[after] = born_in[after]
        places = np.flatnonzero(outside[inside]) + span.start
        owners = birth_label[-tape.events[places] - 1]
        if 1 not in owners:
            # As a block's gathered parameters, which the next one frees: with no next one left,
            # those of the last but one die outside, once.
            owners[owners == KEPT - 2] = NONE
        labels[places] = owners
    return labels


def _glue(labels: Array) -> None:
    """What happens between two periods belongs to the one before."""
    known = np.flatnonzero(labels != NONE)
    if not len(known):
        return
    passed = np.searchsorted(known, np.arange(len(labels)), side="right")
    between = np.flatnonzero((passed > 0) & (passed < len(known)))
    before, after = (labels[known[passed[between] - way]] for way in (1, 0))
    near = np.abs(before - after) <= 1
    labels[between[near]] = before[near]


def _births(tape: Tape, labels: Array) -> tuple[Array, ...]:
    """The storages born in each period, in order."""
    born = tape.events > 0
    return tuple(tape.events[born & (labels == label)] - 1 for label in range(KEPT))


def _alike(tape: Tape, first: Array, second: Array) -> bool:
    return (
        len(first) == len(second)
        and bool((tape.size_bytes[first] == tape.size_bytes[second]).all())
        and bool((tape.category[first] == tape.category[second]).all())
    )


def _stretches(tape: Tape, labels: Array) -> tuple[Stretch, ...]:
    """Maximal runs of events of one label, none across a phase's border."""
    borders = {span.start for span in tape.phases} | {len(labels)}
    changes = set((np.flatnonzero(np.diff(labels)) + 1).tolist())
    edges = sorted(borders | changes | {0})
    return tuple(
        Stretch(int(labels[start]), start, stop) for start, stop in pairwise(edges) if stop > start
    )


def _pairs(stretches: tuple[Stretch, ...]) -> tuple[int, ...] | None:
    """Where a stretch of period 1 stands beside one of period 2: the first one's place.

    None where some stretch of period 1 or 2 stands alone: then copies cannot be placed.
    """
    pairs: list[int] = []
    place = 0
    while place < len(stretches):
        label = stretches[place].label
        if label in (1, 2):
            following = stretches[place + 1] if place + 1 < len(stretches) else None
            if following is None or following.label != 3 - label:
                return None
            pairs.append(place)
            place += 2
        else:
            place += 1
    return tuple(pairs)
