"""What a run would do, said before it is started. All sizes are bytes."""

from __future__ import annotations

from memplanner.messages.base import Message
from memplanner.messages.device import Device
from memplanner.messages.run import RunFigures
from memplanner.plan import Plan


class RunIntention(Message):
    """Everything that ``apply`` would start, take, read and write."""

    device: Device
    plan: Plan
    steps: int
    processes: int
    """Those that would be started: a worker, or a rank a card and the one that starts them."""
    predicted: RunFigures
    """Over several cards that of the fullest rank."""
    limit_bytes: int | None
    """What each process is let take, of the card or on the CPU of the machine's memory."""
    low_seconds: float | None
    high_seconds: float | None
    """Of all steps, without the start; None where no time is known."""
    reads: tuple[str, ...]
    """Paths and names."""
    writes: tuple[str, ...]
    """Paths that would be made or changed."""
    sentences: tuple[str, ...]
    """The same in words, in the order in which it would be done."""
