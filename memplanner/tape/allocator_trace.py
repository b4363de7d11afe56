"""What the CPU allocator gave out, from ``torch.profiler``: kernels' own scratch included.

The profiler notes every allocation and free; the exported Chrome trace is its public form.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class AllocatorTrace:
    """The allocator's changes in order, and the labelled stretches of ``record_function``."""

    changes: tuple[tuple[float, int], ...]
    """Moment in microseconds, bytes: negative when a block is freed."""
    labels: tuple[tuple[str, float, float], ...]
    """Name, begin and end in microseconds."""

    def within(self, begin: float, end: float) -> list[int]:
        """The changes of a stretch."""
        return [size for moment, size in self.changes if begin <= moment <= end]

    @property
    def highest_bytes(self) -> int:
        """The highest sum of blocks made since the start; frees of older ones lower it."""
        return highest(size for _, size in self.changes)


def highest(changes: Iterable[int]) -> int:
    """The highest running sum of ``changes``, at least 0."""
    live = top = 0
    for change in changes:
        live += change
        top = max(top, live)
    return top


def read_trace(export: Callable[[str], Any]) -> AllocatorTrace:
    """The trace that ``export(path)`` writes: ``profile(...).export_chrome_trace``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        export(str(path))
        events: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["traceEvents"]
    changes = [
        (event["ts"], event["args"]["Bytes"]) for event in events if event.get("name") == "[memory]"
    ]
    labels = tuple(
        (event["name"], event["ts"], event["ts"] + event["dur"])
        for event in events
        if isinstance(event.get("name"), str) and "dur" in event
    )
    return AllocatorTrace(tuple(sorted(changes, key=lambda change: change[0])), labels)
