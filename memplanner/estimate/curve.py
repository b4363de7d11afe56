"""The curve of allocated memory over one step, for plots."""

from __future__ import annotations

import numpy as np

from memplanner.messages.estimate import CATEGORIES, Phase, Timeline
from memplanner.tape.tape import Array, Tape

POINTS = 2000


def timeline(tape: Tape, peak_event: int, points: int = POINTS) -> Timeline:
    """At most about ``points`` moments of the step, each the highest of its stretch."""
    curve = tape.curve_bytes
    chosen = _highest_of_stretches(curve, points)
    by_category = _by_category(tape, chosen)
    return Timeline(
        events=len(tape.events),
        event=tuple(chosen.tolist()),
        allocated_bytes=tuple(curve[chosen].tolist()),
        by_category={
            name: tuple(by_category[number].tolist()) for number, name in enumerate(CATEGORIES)
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
    edges = _edges(count, points)
    starts = edges[:-1]
    highest = np.repeat(np.maximum.reduceat(curve, starts), np.diff(edges))
    places: Array = np.minimum.reduceat(np.where(curve == highest, np.arange(count), count), starts)
    return places


def _by_category(tape: Tape, chosen: Array) -> Array:
    """Bytes after each of the events ``chosen``, which rise: categories × points."""
    width = len(CATEGORIES)
    last = int(chosen[-1]) + 1 if len(chosen) else 0
    stretch = np.searchsorted(chosen, np.arange(last))
    category = tape.category[np.abs(tape.events[:last]) - 1]
    # floats are exact to 2⁵³ bytes
    changes = np.bincount(
        stretch * width + category, weights=tape.deltas_bytes[:last], minlength=len(chosen) * width
    )
    sums: Array = changes.astype(np.int64).reshape(-1, width).cumsum(axis=0).T
    return sums


def _edges(count: int, points: int) -> Array:
    """Where each of ``points`` stretches of ``count`` events begins, and the end of the last."""
    return np.linspace(0, count, points + 1).astype(np.int64)
