"""Lines in and out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import BinaryIO

from memplanner.messages.protocol import Reply

LONGEST_LINE_BYTES = 64 * 2**20
"""A longer request is refused unread: no plan is that large."""

PIPE_BYTES = 2**20
"""As much as a pipe is asked to hold: an estimate then goes out whole, before it is read."""


class Channel:
    """The way to the window; several threads may send."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, Lock()
        _widen(stream)

    def send(self, reply: Reply) -> None:
        """Writes one reply. A window that is gone is no error: the end of input ends the server."""
        line = reply.model_dump_json(by_alias=True).encode() + b"\n"
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                return


def _widen(stream: BinaryIO) -> None:
    """Where it is a pipe of Linux; whatever else it is stays as it is."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def read_lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Each line of the stream; None stands for one that was too long, and is skipped."""
    while line := stream.readline(LONGEST_LINE_BYTES):
        if line.endswith(b"\n"):
            yield line
            continue
        skipped = line
        while skipped and not skipped.endswith(b"\n"):
            skipped = stream.readline(LONGEST_LINE_BYTES)
        yield None if skipped or len(line) >= LONGEST_LINE_BYTES else line
