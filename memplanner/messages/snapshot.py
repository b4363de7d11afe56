"""A memory snapshot of torch as it is shown. All sizes are bytes."""

from __future__ import annotations

import base64
from typing import Literal

from memplanner.messages.base import Message


class SnapshotStack(Message):
    """What was allocated at the peak by one line of code."""

    frames: tuple[str, ...]
    """The innermost first; empty where none was recorded."""
    size_bytes: int
    count: int
    """Allocations."""


class SnapshotCurve(Message):
    """One card's history.

    The three curves are little-endian 64-bit whole numbers in base 64, one for each point; where
    there are more events than points, a point holds the highest of its stretch.
    """

    device: int
    events: int
    points: int
    time_us: str
    """Since the first event."""
    allocated_bytes: str
    reserved_bytes: str
    peak_point: int
    peak_bytes: int
    reserved_peak_bytes: int
    before_bytes: int
    """Allocated before the history began, and never freed in it."""
    stacks: tuple[SnapshotStack, ...]
    """The largest at the peak, the largest first."""


class Snapshot(Message):
    """A snapshot file, read."""

    path: str
    curves: tuple[SnapshotCurve, ...]
    """Of the cards that did anything."""
    seconds: float


class SnapshotProgress(Message):
    """The part of the file that is read."""

    kind: Literal["progress"] = "progress"
    fraction: float


class SnapshotEnd(Message):
    """The reading process' last word: the snapshot, or one sentence why there is none."""

    kind: Literal["end"] = "end"
    result: Snapshot | None = None
    sentence: str = ""


def packed(data: bytes) -> str:
    """Raw numbers as a curve carries them."""
    return base64.b64encode(data).decode("ascii")


def unpacked(curve: str) -> bytes:
    """The raw numbers of a curve."""
    return base64.b64decode(curve, validate=True)
