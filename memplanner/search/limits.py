"""What a device leaves to tensors at most: bounds that need no replay of the allocator."""

from __future__ import annotations

from dataclasses import dataclass

from memplanner.estimate.on_device import REPLAYED_KINDS, RESERVED_SPREAD
from memplanner.hardware import host_device
from memplanner.hardware.overhead import driver_reserve, overhead, total
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.search.figures import DeviceFigures


@dataclass(frozen=True, slots=True)
class Limits:
    """Allocated bytes that a device cannot hold for sure. None where its memory is not known."""

    capacity_bytes: int | None
    """What there is for all programs together."""
    holds_bytes: int | None
    """More than this allocated is never expected to fit."""
    promises_bytes: int | None
    """More than this is never promised to fit, with the goal's margin left over."""
    most_bytes: int | None = None
    """What ``DeviceFigures.taken_bytes`` may come to, with the goal's margin left over."""
    margin_bytes: int = 0
    """To be left over beyond the margin of an estimate."""
    host_bytes: int | None = None
    """What a plan may put into the host's memory."""

    @classmethod
    def of(
        cls,
        device: Device,
        margin_bytes: int,
        calibration: CalibrationRecord | None = None,
        host_memory_bytes: int | None = None,
    ) -> Limits:
        """The limits of ``device``: reserved memory is never below allocated.

        ``host_memory_bytes`` is what its machine has; by itself that is known of this one alone,
        and then it is what is free.
        """
        memory, host = device.memory_bytes, host_memory_bytes
        if host is None and device.local and device.kind != "cpu":
            host = host_device().free_bytes
        if device.kind not in REPLAYED_KINDS:
            free = device.free_bytes
            promised_bytes = None if free is None else free - margin_bytes
            return cls(memory, free, promised_bytes, promised_bytes, margin_bytes, host)
        if memory is None:
            return cls(None, None, None, None, margin_bytes, host)
        beside = total(
            overhead(device, measured=() if calibration is None else calibration.overhead)
        )
        capacity = memory - driver_reserve(device).high_bytes
        most = capacity - margin_bytes
        promised = int((most - beside.high_bytes) / (1 + RESERVED_SPREAD)) + 1
        holds_bytes = capacity - beside.expected_bytes
        return cls(capacity, holds_bytes, promised, most, margin_bytes, host)

    def leaves_host(self, known: DeviceFigures) -> int | None:
        """What a plan leaves of the host's memory, negative: what is missing; None: not known."""
        if self.host_bytes is None or known.host_bytes is None:
            return None
        return self.host_bytes - known.host_bytes

    def hold(self, known: DeviceFigures) -> bool:
        """Whether a plan fits for sure, on the device with the margin and on its host."""
        left_bytes = self.leaves_host(known)
        on_host = left_bytes is None or left_bytes >= 0
        return on_host and known.leaves(self.capacity_bytes, self.margin_bytes)
