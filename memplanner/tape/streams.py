"""Streams of weightless ranks: what is made on one, its pool of the allocator takes back.

torch's caching allocator keeps free blocks apart by the stream that they were asked on, so what
FSDP2 gathers on streams of its own is never used again by the computation. Nothing runs beside
anything else here: a stream is a number, 0 for the computation's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch

COMPUTATION = 0
_numbers = count(1)
_current = COMPUTATION


def current_number() -> int:
    """The number of the stream that is asked now."""
    return _current


class WeightlessStream(torch.cpu.Stream):
    """A stream on which nothing takes time."""

    def __init__(self, priority: int = -1, number: int | None = None) -> None:
        super().__init__(priority)
        self.number = next(_numbers) if number is None else number

    def record_event(self) -> torch.cpu.Event:  # type: ignore[override]  # as CUDA's do
        """An event that has come."""
        return torch.cpu.Event()


class Streams:
    """What FSDP2 asks of a device's module, such as ``torch.cuda``."""

    Stream = WeightlessStream
    Event = torch.cpu.Event

    @staticmethod
    def current_stream() -> WeightlessStream:
        """The one that is asked now."""
        return WeightlessStream(number=_current)

    @staticmethod
    @contextmanager
    def stream(chosen: Any) -> Iterator[None]:
        """Inside it, ``chosen`` is asked."""
        global _current
        before = _current
        _current = chosen.number if isinstance(chosen, WeightlessStream) else before
        try:
            yield
        finally:
            _current = before
