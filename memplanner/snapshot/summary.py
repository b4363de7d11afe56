"""A snapshot as it is shown: curves of so many points, and what is largest at the peak."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np

from memplanner.messages.snapshot import Snapshot, SnapshotCurve, SnapshotStack, packed
from memplanner.snapshot.curve import Curve, curve_of
from memplanner.snapshot.reader import ALLOC, FREE, Array, DeviceTrace, Progress, read_snapshot

MOST_POINTS = 2**20
"""Of a curve; three of them then take 24 MiB."""
LARGEST_STACKS = 20


def summary(
    path: Path, progress: Progress | None = None, *, most_points: int = MOST_POINTS
) -> Snapshot:
    """The snapshot ``path``. Raises ``SourceError``."""
    started = perf_counter()
    curves = tuple(_shown(trace, most_points) for trace in read_snapshot(path, progress))
    return Snapshot(path=str(path), curves=curves, seconds=perf_counter() - started)


def alive_at(trace: DeviceTrace, event: int) -> Array:
    """The events that made what is allocated after ``event``."""
    upto = slice(0, event + 1)
    own = np.flatnonzero(np.isin(trace.action[upto], (ALLOC, FREE)))
    order = own[np.lexsort((own, trace.address[own]))]
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = trace.address[order[1:]] != trace.address[order[:-1]]
    found = order[last]
    return np.sort(found[trace.action[found] == ALLOC])


def _shown(trace: DeviceTrace, most_points: int) -> SnapshotCurve:
    curve = curve_of(trace)
    starts = _starts(curve, most_points)
    allocated = np.maximum.reduceat(curve.allocated_bytes, starts)
    reserved = np.maximum.reduceat(curve.reserved_bytes, starts)
    peak = curve.peak_event
    return SnapshotCurve(
        device=trace.device,
        events=len(trace),
        points=len(starts),
        time_us=_packed(curve.time_us[starts]),
        allocated_bytes=_packed(allocated),
        reserved_bytes=_packed(reserved),
        peak_point=int(allocated.argmax()),
        peak_bytes=int(curve.allocated_bytes[peak]),
        reserved_peak_bytes=int(curve.reserved_bytes.max()),
        before_bytes=curve.before_bytes,
        stacks=_stacks(trace, peak),
    )


def _starts(curve: Curve, most_points: int) -> Array:
    """Where each point's stretch of events begins."""
    events = len(curve.time_us)
    if events <= most_points:
        return np.arange(events, dtype=np.int64)
    return np.arange(most_points, dtype=np.int64) * events // most_points


def _stacks(trace: DeviceTrace, event: int) -> tuple[SnapshotStack, ...]:
    alive = alive_at(trace, event)
    place = trace.stack[alive] + 1  # 0 stands for what has none
    sizes = np.bincount(place, weights=trace.size_bytes[alive], minlength=1).astype(np.int64)
    counts = np.bincount(place, minlength=1)
    largest = [one for one in np.argsort(-sizes)[:LARGEST_STACKS].tolist() if sizes[one]]
    return tuple(
        SnapshotStack(
            frames=trace.stacks[one - 1] if one else (),
            size_bytes=int(sizes[one]),
            count=int(counts[one]),
        )
        for one in largest
    )


def _packed(values: Array) -> str:
    return packed(values.astype("<i8").tobytes())
