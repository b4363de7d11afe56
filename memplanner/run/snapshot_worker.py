"""The process in which a memory snapshot is read: ``python -m memplanner.run.snapshot_worker``.

It reads its request from standard input and answers with progress and one end, a line each. A
hostile file may take its memory and its time, and no other's.
"""

from __future__ import annotations

import os
from pathlib import Path

from memplanner.errors import MemplannerError
from memplanner.messages.base import Message
from memplanner.messages.snapshot import SnapshotEnd, SnapshotProgress
from memplanner.run.channel import Channel, take_standard_streams
from memplanner.snapshot import summary


class SnapshotRequest(Message):
    """Which file is read."""

    path: str
    most_points: int


def main() -> None:
    """Reads the request, then the file, and sends the end."""
    requests, answers = take_standard_streams()
    channel = Channel(answers)
    request = SnapshotRequest.model_validate_json(requests.readline())
    channel.send(_end(request, channel))
    os._exit(0)


def _end(request: SnapshotRequest, channel: Channel) -> SnapshotEnd:
    def tell(fraction: float) -> None:
        channel.send(SnapshotProgress(fraction=fraction))

    try:
        return SnapshotEnd(
            result=summary(Path(request.path), tell, most_points=request.most_points)
        )
    except MemplannerError as error:
        return SnapshotEnd(sentence=str(error))
    except MemoryError:
        return SnapshotEnd(
            sentence=f"Memory ran out while {request.path} was read; free some, or record a "
            "shorter history."
        )


if __name__ == "__main__":
    main()
