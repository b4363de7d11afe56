"""The highest moment of a predicted step; its attributes are the JSON's names."""

from __future__ import annotations

from collections.abc import Callable

from memplanner.estimate.on_device import OnDevice
from memplanner.messages.estimate import Categories, Peak, Phase


class PredictedPeak:
    """What is allocated is known; what the device shows is computed when it is asked for."""

    def __init__(
        self,
        *,
        allocated_bytes: int,
        phase: Phase,
        module: str,
        by_category: Categories,
        on_device: Callable[[], OnDevice],
    ) -> None:
        self.allocated_bytes, self.phase, self.module = allocated_bytes, phase, module
        self.by_category = by_category
        self._on_device = on_device

    @property
    def reserved_bytes(self) -> int | None:
        """The highest that torch's allocator reserves; None where it is not modelled."""
        return self._on_device().reserved_bytes

    @property
    def device_bytes(self) -> int | None:
        """What the whole device is expected to hold, other programs included."""
        margin = self._on_device().device
        return None if margin is None else margin.expected_bytes

    @property
    def device_low_bytes(self) -> int | None:
        """The least that the device can hold."""
        margin = self._on_device().device
        return None if margin is None else margin.low_bytes

    @property
    def device_high_bytes(self) -> int | None:
        """The most that the device can hold."""
        margin = self._on_device().device
        return None if margin is None else margin.high_bytes

    @property
    def calibrated_bytes(self) -> int | None:
        """The expected figure as runs on this very card correct it; None without such runs."""
        return self._on_device().calibrated_bytes

    def first_message(self) -> Peak:
        """The peak without what the device shows."""
        return Peak(
            allocated_bytes=self.allocated_bytes,
            reserved_bytes=None,
            device_bytes=None,
            phase=self.phase,
            module=self.module,
            by_category=self.by_category,
        )

    def message(self) -> Peak:
        """The peak as it is printed and sent."""
        return self.first_message().model_copy(
            update={
                "reserved_bytes": self.reserved_bytes,
                "device_bytes": self.device_bytes,
                "device_low_bytes": self.device_low_bytes,
                "device_high_bytes": self.device_high_bytes,
                "calibrated_bytes": self.calibrated_bytes,
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PredictedPeak) and self.message() == other.message()

    def __hash__(self) -> int:
        return hash((self.allocated_bytes, self.phase, self.module))
