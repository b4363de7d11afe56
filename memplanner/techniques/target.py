"""The device a plan is made for, as far as torch's own choices depend on it."""

from __future__ import annotations

from dataclasses import dataclass

from memplanner.messages.device import Device


@dataclass(frozen=True, slots=True)
class Target:
    """The kind of device, and a CUDA card's compute capability such as ``(9, 0)``."""

    kind: str = "cpu"
    capability: tuple[int, int] = (0, 0)
    rank: int = 0
    """Of the cards that a plan shards over, which one this is."""

    @classmethod
    def of(cls, device: Device) -> Target:
        """The target that ``device`` is. A CUDA card of unknown architecture counts as 8.0."""
        if device.kind == "cpu":
            return cls()
        major, _, minor = device.architecture.partition(".")
        known = major.isdigit() and minor.isdigit()
        return cls(device.kind, (int(major), int(minor)) if known else (8, 0))
