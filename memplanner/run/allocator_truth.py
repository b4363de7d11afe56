"""The CPU allocator's own account of a step: every block, kernels' scratch included.

``torch.profiler`` notes each allocation and free of the CPU allocator; the exported trace is its
public form. Resident memory is no substitute: it does not fall when torch frees.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.profiler import ProfilerActivity, profile


class AllocatorPeak:
    """The highest sum of blocks since the start, in bytes above what stood before."""

    def __init__(self) -> None:
        self.above_start_bytes = 0


@contextmanager
def watch_allocator() -> Iterator[AllocatorPeak]:
    """Profiles what runs inside; the peak is known when it ends."""
    peak = AllocatorPeak()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        yield peak
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        with path.open(encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
    live = 0
    memory = [event for event in events if event.get("name") == "[memory]"]
    for event in sorted(memory, key=lambda event: event["ts"]):
        live += event["args"]["Bytes"]
        peak.above_start_bytes = max(peak.above_start_bytes, live)
