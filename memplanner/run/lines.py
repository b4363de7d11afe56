"""Lines of a process that may write whatever it likes: of bounded length, and told by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic
from typing import IO

LONGEST_LINE = 64 * 2**20
"""Characters. No event is that long: what is longer is dropped instead of filling memory."""
MOST_WAITING = 1000
"""Lines that are read ahead: a process that floods its channel waits, and memory does not grow."""
_AGAIN_SECONDS = 0.2


def bounded_lines(stream: IO[str], longest: int = LONGEST_LINE) -> Iterator[str]:
    """The lines of ``stream``; those over ``longest`` characters are left out."""
    overlong = False
    while piece := stream.readline(longest):
        ended = piece.endswith("\n")
        if not overlong and (ended or len(piece) < longest):
            yield piece
        overlong = not ended


def cut_lines(stream: IO[str], longest: int) -> Iterator[str]:
    """The lines of ``stream``, each its first ``longest`` characters."""
    begun = False
    while piece := stream.readline(longest):
        if not begun:
            yield piece
        begun = not piece.endswith("\n")


class TimedLines:
    """Lines of a stream as they come, and None each time that ``patience`` passes without one.

    A thread reads; whoever iterates stays in its own. ``close`` lets the thread end, also while
    more is written; the stream is the caller's to close.
    """

    def __init__(self, stream: IO[str], patience_seconds: float, name: str) -> None:
        self._patience = patience_seconds
        self._waiting: Queue[str | None] = Queue(MOST_WAITING)
        self._closed = Event()
        self.thread = Thread(target=self._read, args=(stream,), name=name, daemon=True)
        self.thread.start()

    def __iter__(self) -> Iterator[str | None]:
        while True:
            try:
                line = self._waiting.get(timeout=self._patience)
            except Empty:
                yield None
                continue
            if line is None:
                return
            yield line

    def close(self) -> None:
        """Nothing more is read."""
        self._closed.set()

    def _read(self, stream: IO[str]) -> None:
        for line in bounded_lines(stream):
            if not self._put(line):
                return
        self._put(None)

    def _put(self, line: str | None) -> bool:
        while not self._closed.is_set():
            try:
                self._waiting.put(line, timeout=_AGAIN_SECONDS)
            except Full:
                continue
            return True
        return False


class Silence:
    """How long a process has said nothing; told once each time it begins, and once it ends.

    Durations are those of ``time.monotonic``: a clock that is set anew changes nothing.
    """

    def __init__(self, bearable_seconds: float) -> None:
        self._bearable = bearable_seconds
        self._since = monotonic()
        self._told = False

    def heard(self) -> bool:
        """A line has come; whether it ends a silence that was told."""
        ended, self._told = self._told, False
        self._since = monotonic()
        return ended

    def seconds_to_tell(self) -> float | None:
        """How long it lasts, when that is to be told now; else None."""
        seconds = monotonic() - self._since
        if self._told or seconds < self._bearable:
            return None
        self._told = True
        return seconds
