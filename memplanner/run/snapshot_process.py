"""``snapshot``: starts the process that reads a memory snapshot, and returns what it found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from memplanner.errors import RunError, SourceError
from memplanner.messages.snapshot import Snapshot, SnapshotEnd, SnapshotProgress
from memplanner.run.following import Silent, follow
from memplanner.run.snapshot_worker import SnapshotRequest
from memplanner.run.stopping import StopSignal
from memplanner.snapshot.summary import MOST_POINTS


def snapshot(
    path: str | Path,
    *,
    most_points: int = MOST_POINTS,
    on_progress: Callable[[SnapshotProgress], object] | None = None,
    stop: StopSignal | None = None,
) -> Snapshot:
    """The memory snapshot in the file ``path``, read in a process of its own.

    Raises ``SourceError`` where it is none, and ``RunError`` where reading was stopped.
    """
    request = SnapshotRequest(path=str(Path(path).expanduser()), most_points=most_points)
    messages = SnapshotProgress, SnapshotEnd
    end = follow("memplanner.run.snapshot_worker", request, messages, on_progress, stop)
    if end is None:
        raise RunError("Reading the snapshot was stopped.")
    if isinstance(end, Silent):
        raise SourceError(f"{path} could not be read ({end.said}); record a shorter history.")
    if end.result is None:
        raise SourceError(end.sentence)
    return end.result
