"""Sums over a tape at a moment: by category, by module, by phase. Only arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memplanner.messages.estimate import CATEGORIES, Categories, Phase
from memplanner.tape.tape import ACTIVATIONS, Array, Tape

NEVER = np.iinfo(np.int64).max
WIDTH = len(CATEGORIES)


@dataclass(frozen=True, slots=True)
class Lives:
    """When each storage is born and dies, as places on the tape; independent of sizes."""

    birth: Array
    death: Array

    @classmethod
    def of(cls, tape: Tape) -> Lives:
        """The lives of a tape's storages."""
        count = len(tape.size_bytes)
        birth = np.zeros(count, dtype=np.int64)
        death = np.full(count, NEVER, dtype=np.int64)
        places = np.arange(len(tape.events))
        born = tape.events > 0
        birth[tape.events[born] - 1] = places[born]
        death[-tape.events[~born] - 1] = places[~born]
        return cls(birth, death)

    def alive(self, event: int) -> Array:
        """The storages alive after an event."""
        return np.flatnonzero((self.birth <= event) & (self.death > event))


def categories(tape: Tape, storages: Array) -> Categories:
    """The storages' bytes by category."""
    return as_categories(
        np.bincount(tape.category[storages], weights=tape.size_bytes[storages], minlength=WIDTH)
    )


def as_categories(sums: np.ndarray) -> Categories:
    """A row of sums in the order of ``CATEGORIES``. Floats are exact to 2⁵³ bytes."""
    values = dict(zip(CATEGORIES, (int(value) for value in sums), strict=True))
    return Categories.model_construct(set(values), **values)


def by_module(tape: Tape, storages: Array) -> Array:
    """The storages' bytes as a table of modules × categories."""
    count = len(tape.module_names)
    place = tape.module[storages] * WIDTH + tape.category[storages]
    sums = np.bincount(place, weights=tape.size_bytes[storages], minlength=count * WIDTH)
    return sums.astype(np.int64).reshape(count, WIDTH)


def own_maximum(tape: Tape) -> Array:
    """The highest that each module's share of each category gets: modules × categories."""
    count = len(tape.module_names)
    storages = np.abs(tape.events) - 1
    place = tape.module[storages] * WIDTH + tape.category[storages]
    order = np.argsort(place, kind="stable")
    sums = np.cumsum(tape.deltas_bytes[order])
    places = place[order]
    starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
    before = np.r_[0, sums[starts[1:] - 1]]
    highest = np.maximum.reduceat(sums, starts) - before
    table = np.zeros(count * WIDTH, dtype=np.int64)
    table[places[starts]] = np.maximum(highest, 0)
    return table.reshape(count, WIDTH)


def end_of_forward(tape: Tape) -> int:
    """The last event of the first forward; of ``load`` where there is none."""
    stops = [span.stop for span in tape.phases if span.phase in {"forward", "prefill"}]
    return max(stops[0] - 1, 0) if stops else max(tape.phases[0].stop - 1, 0)


def highest_in(tape: Tape, phase: Phase) -> int:
    """The event at which memory is highest within a phase; the phase's start where it is empty."""
    curve = tape.curve_bytes
    best = -1
    for span in tape.phases:
        if span.phase == phase and span.stop > span.start:
            event = span.start + int(curve[span.start : span.stop].argmax())
            if best < 0 or curve[event] > curve[best]:
                best = event
    return max(best, 0)


def by_phase(tape: Tape) -> dict[Phase, int]:
    """The highest allocated in each phase, what stands at its start included."""
    curve = tape.curve_bytes
    highest: dict[Phase, int] = {}
    for span in tape.phases:
        first = max(span.start - 1, 0)
        if span.stop > first:
            value = int(curve[first : span.stop].max())
            highest[span.phase] = max(highest.get(span.phase, 0), value)
    return highest


def kept_for_backward(tape: Tape, lives: Lives) -> Array:
    """The activations alive at the end of the first forward."""
    alive = lives.alive(end_of_forward(tape))
    kept: Array = alive[tape.category[alive] == ACTIVATIONS]
    return kept
