"""A card's trace as a curve: what was allocated and reserved after each event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memplanner.snapshot.reader import (
    ALLOC,
    FREE,
    SEGMENT_ALLOC,
    SEGMENT_FREE,
    SEGMENT_MAP,
    SEGMENT_UNMAP,
    Array,
    DeviceTrace,
)

_SIGN = {ALLOC: (1, 0), FREE: (-1, 0), SEGMENT_ALLOC: (0, 1), SEGMENT_MAP: (0, 1),
         SEGMENT_FREE: (0, -1), SEGMENT_UNMAP: (0, -1)}  # fmt: skip
"""What an action does to allocated and to reserved memory."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Shaped (events,). What stood before the history began is in every value."""

    time_us: Array
    """Since the first event."""
    allocated_bytes: Array
    reserved_bytes: Array
    before_bytes: int
    """Allocated before the history began, and never freed in it."""

    @property
    def peak_event(self) -> int:
        """The first event after which most is allocated."""
        return int(self.allocated_bytes.argmax())


def curve_of(trace: DeviceTrace) -> Curve:
    """The curve of one card.

    A history that is full forgets its oldest events, and then begins in the middle: what stood
    then follows from what the file says of its end, and is never less than what is freed later.
    """
    signs = np.array([_SIGN.get(action, (0, 0)) for action in range(int(trace.action.max()) + 1)])
    changes = signs[trace.action] * trace.size_bytes[:, None]
    curves = np.cumsum(changes, axis=0)
    ends = np.array([trace.allocated_bytes, trace.reserved_bytes])
    starts = np.maximum(ends - curves[-1], -curves.min(axis=0))
    allocated, reserved = (curves + np.maximum(starts, 0)).T
    return Curve(
        time_us=trace.time_us - trace.time_us[0],
        allocated_bytes=allocated,
        reserved_bytes=np.maximum(reserved, allocated),
        before_bytes=int(max(starts[0], 0)),
    )
