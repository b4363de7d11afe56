"""Devices: what a plan is made for."""

from __future__ import annotations

from typing import Literal

from memplanner.messages.base import Message

DeviceKind = Literal["cpu", "cuda", "rocm", "xpu", "mps"]
"""torch's backend for the device; ROCm cards are ``cuda`` to torch, with AMD's libraries."""


class Device(Message):
    """A card of the catalogue, or one of this machine's devices."""

    name: str
    kind: DeviceKind
    memory_bytes: int | None
    """As the runtime reports it; None when unknown."""
    used_bytes: int = 0
    """What other programs hold now; zero for a card of the catalogue."""
    architecture: str = ""
    """CUDA compute capability such as ``9.0``, AMD's target such as ``gfx942``, or empty."""
    index: int | None = None
    """The index of a card in this machine, None for a card of the catalogue."""
    local: bool = False

    @property
    def free_bytes(self) -> int | None:
        """Memory that a run could take now."""
        return None if self.memory_bytes is None else self.memory_bytes - self.used_bytes

    @property
    def selector(self) -> str:
        """What ``find_device`` finds it by: ``cpu``, ``cuda:0`` in this machine, or the name."""
        if self.kind == "cpu" and (self.local or self.name.lower() == "cpu"):
            return "cpu"
        if self.local and self.index is not None:
            return f"{self.kind}:{self.index}"
        return self.name
