"""What a replay finds."""

from __future__ import annotations

from dataclasses import dataclass

from memplanner.tape.tape import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfMemory:
    """The allocation that fails, all cached memory given back."""

    step: int
    """Counted from 0; a failure while the model is moved to the device is in step 0 too."""
    event: int
    """The tape's event that asks for it; for an optimizer's first state, where its step begins."""
    storage: int
    requested_bytes: int
    segment_bytes: int
    """What the driver was asked for last: with expandable segments, whole pages."""
    allocated_bytes: int
    reserved_bytes: int
    limit_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The allocator at one moment. ``torch.cuda.memory_stats`` has the same figures."""

    step: int
    event: int
    allocated_bytes: int
    reserved_bytes: int
    segments: int
    inactive_split_bytes: int
    """Free, but stuck in segments that are partly in use; 0 with expandable segments."""

    @property
    def unused_bytes(self) -> int:
        """Reserved beyond what is allocated."""
        return self.reserved_bytes - self.allocated_bytes

    @property
    def fragmentation(self) -> float:
        """The share of reserved memory that is not allocated, 0 to 1."""
        return self.unused_bytes / self.reserved_bytes if self.reserved_bytes else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopReplay:
    """A training run from process start to where its steps repeat exactly."""

    reserved_bytes: int
    """The highest: what ``torch.cuda.max_memory_reserved`` shows."""
    allocated_bytes: int
    """The highest in blocks handed out: what ``torch.cuda.max_memory_allocated`` shows."""
    peak: Reservation
    """The moment at which reserved memory first reaches its highest."""
    end: Reservation
    """The end of the last step replayed, or the moment of failure."""
    steps: int
    """How many were replayed."""
    settled: bool
    """Whether the last step left the allocator exactly as an earlier one did.

    All later steps then go through what was replayed: each like the last, or, where gradients are
    carried from one step to the next, some of them in turn.
    """
    retries: int
    """Allocations for which all cached memory was given back: each one stalls the device."""
    failure: OutOfMemory | None
    step_reserved_bytes: Array
    """After each event of the tape, in the last step replayed; ``load`` holds its beginning."""
    step_allocated_bytes: Array
