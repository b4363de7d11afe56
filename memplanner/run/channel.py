"""The line channel from a process to the one that started it, on its standard streams."""

from __future__ import annotations

import os
import sys
from threading import Lock
from typing import BinaryIO, TextIO

from memplanner.messages.base import Message


class Channel:
    """The line channel to the parent; threads may write to it.

    Each event begins a line of its own: one that an interrupt has cut short, or that a library
    has printed before the channel was ours, spoils no other.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, Lock()

    def send(self, event: Message) -> None:
        """Writes one event."""
        line = event.model_dump_json(by_alias=True)
        with self._lock:
            try:
                self._stream.write(f"\n{line}\n".encode())
                self._stream.flush()
            except BrokenPipeError:
                return  # the parent is gone, and the end of input stops the run


def take_standard_streams() -> tuple[TextIO, BinaryIO]:
    """The channel's two ends; user code that reads finds an end, what it prints goes elsewhere."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, answers
