"""The allocator's own account of a step: every block, kernels' scratch included.

On the CPU it is read from the profiler. Resident memory is no substitute: it does not fall when
torch frees. On CUDA torch's caching allocator counts for itself
(https://docs.pytorch.org/docs/stable/notes/cuda.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.profiler import ProfilerActivity, profile

from memplanner.tape.allocator_trace import AllocatorTrace, read_trace


class AllocatorPeak:
    """The highest that the allocator gave out; known when the watching ends."""

    def __init__(self) -> None:
        self.new_bytes: int | None = None
        """CPU: of blocks made since the start. Frees of older ones are not in the account."""
        self.allocated_bytes: int | None = None
        """CUDA: of all blocks."""
        self.reserved_bytes: int | None = None
        """CUDA: the highest that the allocator held of the card."""
        self.trace: AllocatorTrace | None = None
        """CPU: what ``new_bytes`` is read from."""


@contextmanager
def watch_cpu_allocator() -> Iterator[AllocatorPeak]:
    """Profiles what runs inside."""
    peak = AllocatorPeak()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        yield peak
    peak.trace = read_trace(profiler.export_chrome_trace)
    peak.new_bytes = peak.trace.highest_bytes


@contextmanager
def watch_cuda_allocator(device: torch.device) -> Iterator[AllocatorPeak]:
    """Starts the card's counters anew; nobody else may do so while this runs."""
    peak = AllocatorPeak()
    torch.cuda.reset_peak_memory_stats(device)
    yield peak
    peak.allocated_bytes = torch.cuda.max_memory_allocated(device)
    peak.reserved_bytes = torch.cuda.max_memory_reserved(device)
