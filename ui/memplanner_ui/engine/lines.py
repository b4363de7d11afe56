"""Cutting a stream of bytes into lines, however the pieces arrive."""

from __future__ import annotations

from collections import deque

LONGEST_LINE_BYTES = 256 * 1024**2
"""A line longer than this is no message of ours: it is dropped instead of filling memory."""


class LineReader:
    """Collects pieces and gives whole lines, oldest first.

    Each byte is searched once, so a message of many megabytes that arrives in small pieces takes
    linear time.
    """

    def __init__(self, longest_line_bytes: int = LONGEST_LINE_BYTES) -> None:
        self._longest = longest_line_bytes
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self._overlong = False
        self._lines: deque[bytes] = deque()

    def feed(self, piece: bytes) -> None:
        """Takes what has just arrived."""
        *ended, rest = piece.split(b"\n")
        for part in ended:
            self._pieces.append(part)
            line = b"".join(self._pieces).rstrip(b"\r")
            self._pieces.clear()
            self._size_bytes = 0
            if line and not self._overlong:
                self._lines.append(line)
            self._overlong = False
        self._size_bytes += len(rest)
        if self._size_bytes > self._longest:
            self._pieces.clear()
            self._overlong = True
        elif rest:
            self._pieces.append(rest)

    def next(self) -> bytes | None:
        """The oldest whole line, without its line end; None when there is none yet."""
        return self._lines.popleft() if self._lines else None

    def __len__(self) -> int:
        """How many whole lines wait."""
        return len(self._lines)

    def clear(self) -> None:
        """Forgets everything: a new process begins a new stream."""
        self._pieces.clear()
        self._lines.clear()
        self._size_bytes = 0
        self._overlong = False
