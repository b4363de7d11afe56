"""What ``memplanner check`` finds of a trainer's file. All sizes are bytes."""

from __future__ import annotations

from memplanner.messages.base import Message
from memplanner.messages.estimate import Verdict
from memplanner.messages.search import SmallestChange
from memplanner.plan import Plan


class Checked(Message):
    """Whether what a file asks for fits a device."""

    file: str
    trainer: str
    """The title of the trainer whose file it is."""
    model: str
    device: str
    fits: bool
    """What the exit code says: even the high end of the margin fits."""
    verdict: Verdict
    allocated_bytes: int
    device_bytes: int | None
    device_high_bytes: int | None
    spare_bytes: int
    """Left over at the expected peak; negative: what is missing."""
    plan: Plan
    no_place: tuple[str, ...]
    """Sentences: what of the file no plan has a place for, and is not in the figures."""
    notes: tuple[str, ...]
    changes: tuple[SmallestChange, ...] = ()
    """Where it does not fit: the shortest lists of changes with which it does, best first."""
