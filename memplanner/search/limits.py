"""What a device leaves to tensors at most: bounds that need no replay of the allocator."""

from __future__ import annotations

from dataclasses import dataclass

from memplanner.estimate.on_device import REPLAYED_KINDS, RESERVED_SPREAD
from memplanner.hardware.overhead import driver_reserve, overhead, total
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord


@dataclass(frozen=True, slots=True)
class Limits:
    """Allocated bytes that a device cannot hold for sure. None where its memory is not known."""

    capacity_bytes: int | None
    """What there is for all programs together."""
    holds_bytes: int | None
    """More than this allocated is never expected to fit."""
    promises_bytes: int | None
    """More than this is never promised to fit, with the goal's margin left over."""

    @classmethod
    def of(
        cls, device: Device, margin_bytes: int, calibration: CalibrationRecord | None = None
    ) -> Limits:
        """The limits of ``device``: reserved memory is never below allocated."""
        memory = device.memory_bytes
        if device.kind not in REPLAYED_KINDS:
            free = device.free_bytes
            return cls(memory, free, None if free is None else free - margin_bytes)
        if memory is None:
            return cls(None, None, None)
        beside = total(
            overhead(device, measured=() if calibration is None else calibration.overhead)
        )
        capacity = memory - driver_reserve(device).high_bytes
        promised = (capacity - margin_bytes - beside.high_bytes) / (1 + RESERVED_SPREAD)
        return cls(capacity, capacity - beside.expected_bytes, int(promised) + 1)
