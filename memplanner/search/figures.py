"""What a search knows of a plan: its peak, its time, and what the device makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from memplanner.messages.cost import StepTime
from memplanner.messages.estimate import Categories, Phase, Verdict


@dataclass(frozen=True, slots=True)
class Figures:
    """A plan's step as the tape has it."""

    allocated_bytes: int
    phase: Phase
    by_category: Categories
    seconds: float | None = field(default=None, compare=False)
    """Of an optimizer step; sums of many parts, so equal steps differ in the last digits."""
    time: StepTime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """The same with the device's part: the estimate's own numbers."""

    figures: Figures
    device_bytes: int | None
    device_high_bytes: int | None
    spare_bytes: int | None
    verdict: Verdict | None
    host_bytes: int | None = None
    """The most that the plan puts into the host's memory; None where it puts nothing there."""

    @property
    def taken_bytes(self) -> int:
        """What is held against what there is: the high end, or what is allocated."""
        high_bytes = self.device_high_bytes
        return self.figures.allocated_bytes if high_bytes is None else high_bytes

    def leaves(self, capacity_bytes: int | None, margin_bytes: int) -> bool:
        """Whether it fits for sure, with ``margin_bytes`` beyond the estimate's own margin."""
        if self.verdict != "fits":
            return False
        if self.device_high_bytes is not None and capacity_bytes is not None:
            return self.device_high_bytes + margin_bytes <= capacity_bytes
        return self.spare_bytes is None or self.spare_bytes >= margin_bytes
