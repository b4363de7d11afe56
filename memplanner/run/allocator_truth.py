"""The allocator's own account of a step: every block, kernels' scratch included.

On the CPU ``torch.profiler`` notes each allocation and free; the exported trace is its public
form. Resident memory is no substitute: it does not fall when torch frees. On CUDA torch's caching
allocator counts for itself (https://docs.pytorch.org/docs/stable/notes/cuda.html).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile


class AllocatorPeak:
    """The highest that the allocator gave out; known when the watching ends."""

    def __init__(self) -> None:
        self.new_bytes: int | None = None
        """CPU: of blocks made since the start. Frees of older ones are not in the account."""
        self.allocated_bytes: int | None = None
        """CUDA: of all blocks."""
        self.reserved_bytes: int | None = None
        """CUDA: the highest that the allocator held of the card."""


@contextmanager
def watch_cpu_allocator() -> Iterator[AllocatorPeak]:
    """Profiles what runs inside."""
    peak = AllocatorPeak()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        yield peak
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        with path.open(encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
    live = highest = 0
    memory = [event for event in events if event.get("name") == "[memory]"]
    for event in sorted(memory, key=lambda event: event["ts"]):
        live += event["args"]["Bytes"]
        highest = max(highest, live)
    peak.new_bytes = highest


@contextmanager
def watch_cuda_allocator(device: torch.device) -> Iterator[AllocatorPeak]:
    """Starts the card's counters anew; nobody else may do so while this runs."""
    peak = AllocatorPeak()
    torch.cuda.reset_peak_memory_stats(device)
    yield peak
    peak.allocated_bytes = torch.cuda.max_memory_allocated(device)
    peak.reserved_bytes = torch.cuda.max_memory_reserved(device)
