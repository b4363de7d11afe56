"""The curve of allocated memory over one step, for plots."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from memplanner.messages.estimate import CATEGORIES, Phase, Timeline
from memplanner.tape.tape import Array, Tape

POINTS = 2000


def timeline(tape: Tape, peak_event: int, points: int = POINTS) -> Timeline:
    """At most about ``points`` moments of the step, each the highest of its stretch."""
    chosen = _highest_of_stretches(tape.curve_bytes, points)
    deltas, category = tape.deltas_bytes, tape.category[np.abs(tape.events) - 1]
    return Timeline(
        events=len(tape.events),
        event=tuple(chosen.tolist()),
        allocated_bytes=tuple(tape.curve_bytes[chosen].tolist()),
        by_category={
            name: tuple(np.cumsum(np.where(category == number, deltas, 0))[chosen].tolist())
            for number, name in enumerate(CATEGORIES)
        },
        phases=tape.phases,
        peak_event=peak_event,
    )


def step_curve(tape: Tape, points: int = POINTS) -> tuple[tuple[int, ...], tuple[Phase, ...]]:
    """Allocated bytes along the step without ``load``, with the phase of each point."""
    start = tape.phases[0].stop
    if start >= len(tape.events):
        return (), ()
    chosen = start + _highest_of_stretches(tape.curve_bytes[start:], points)
    stops = np.array([span.stop for span in tape.phases])
    places = np.searchsorted(stops, chosen, side="right")
    return (
        tuple(tape.curve_bytes[chosen].tolist()),
        tuple(tape.phases[place].phase for place in places.tolist()),
    )


def highest_in_stretches(curve: Array, points: int = POINTS) -> tuple[int, ...]:
    """The highest of ``curve``, a value an event, in each stretch of a timeline's points."""
    if len(curve) <= points:
        return tuple(curve.tolist())
    return tuple(np.maximum.reduceat(curve, _edges(len(curve), points)[:-1]).tolist())


def _highest_of_stretches(curve: Array, points: int) -> Array:
    count = len(curve)
    if count <= points:
        return np.arange(count)
    return np.array(
        [start + int(curve[start:stop].argmax())
         for start, stop in pairwise(_edges(count, points))]
    )  # fmt: skip


def _edges(count: int, points: int) -> Array:
    """Where each of ``points`` stretches of ``count`` events begins, and the end of the last."""
    return np.linspace(0, count, points + 1).astype(np.int64)
