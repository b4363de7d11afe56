"""A memory snapshot for the small engine: one card, a few events."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from memplanner.messages import protocol
from memplanner.messages.snapshot import Snapshot, SnapshotCurve, SnapshotStack, packed

GIB = 1024**3
_LEVELS = (1, 2, 4, 3)


def read_snapshot(request: protocol.ReadSnapshot) -> Iterator[protocol.Reply]:
    """The snapshot, whatever the file; one called ``broken`` is none."""
    if "broken" in request.path:
        sentence = f"{request.path} is no memory snapshot; write one."
        yield protocol.Failure(id=request.id, error="SourceError", sentence=sentence)
        return
    yield protocol.Progress(id=request.id, text=f"Reading {request.path}", fraction=0.5)
    levels = packed(struct.pack("<4q", *(level * GIB for level in _LEVELS)))
    curve = SnapshotCurve(
        device=0,
        events=4,
        points=4,
        time_us=packed(struct.pack("<4q", 0, 1, 2, 3)),
        allocated_bytes=levels,
        reserved_bytes=levels,
        peak_point=2,
        peak_bytes=4 * GIB,
        reserved_peak_bytes=4 * GIB,
        before_bytes=0,
        stacks=(SnapshotStack(frames=("forward, m.py:3",), size_bytes=4 * GIB, count=1),),
    )
    snapshot = Snapshot(path=request.path, curves=(curve,), seconds=0.1)
    yield protocol.SnapshotRead(id=request.id, snapshot=snapshot)
