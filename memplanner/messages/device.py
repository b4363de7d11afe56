"""Devices: what a plan is made for."""

from __future__ import annotations

from typing import Literal

from memplanner.messages.base import Message


class Device(Message):
    """A card of the catalogue, or one of this machine's devices."""

    name: str
    kind: Literal["cpu", "cuda"]
    memory_bytes: int | None
    """As the runtime reports it; None when unknown."""
    used_bytes: int = 0
    """What other programs hold now; zero for a card of the catalogue."""
    architecture: str = ""
    """CUDA compute capability such as ``9.0``; empty on the CPU."""
    index: int | None = None
    """The index of a card in this machine, None for a card of the catalogue."""
    local: bool = False

    @property
    def free_bytes(self) -> int | None:
        """Memory that a run could take now."""
        return None if self.memory_bytes is None else self.memory_bytes - self.used_bytes
