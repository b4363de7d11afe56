"""A make-believe NVIDIA driver: pynvml's functions replaced by ones over plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml

GIB = 1024**3


@dataclass
class FakeCard:
    name: str | bytes = "NVIDIA H100 80GB HBM3"
    total: int = 80 * GIB
    reserved: int = 1 * GIB
    used: int = 5 * GIB
    capability: tuple[int, int] = (9, 0)
    uuid: str = "GPU-0000"
    instances: list[FakeCard] = field(default_factory=list)
    """MIG instances; a card with some has MIG switched on."""
    fails: dict[str, int] = field(default_factory=dict)
    """The function that fails on this card, and with which NVML code."""


class FakeDriver:
    """Cards as the driver sees them, and how often it was opened."""

    def __init__(self) -> None:
        self.cards: list[FakeCard] = []
        self.installed = True
        self.opened = 0
        self.counts = True
        self.version: str | bytes | None = "580.65.06"
        self.tells_reserved = True
        self.dead: set[int] = set()
        """Indices that give no handle."""

    def nvmlInit(self) -> None:
        if not self.installed:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlSystemGetDriverVersion(self) -> str | bytes:
        if self.version is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)
        return self.version

    def nvmlDeviceGetCount(self) -> int:
        if not self.counts:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeCard:
        if index in self.dead:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeCard:
        for card in self.cards:
            for one in (card, *card.instances):
                if one.uuid == uuid:
                    return one
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    def nvmlDeviceGetUUID(self, card: FakeCard) -> str:
        return self._answer(card, "uuid", card.uuid)

    def nvmlDeviceGetName(self, card: FakeCard) -> str | bytes:
        return self._answer(card, "name", card.name)

    def nvmlDeviceGetCudaComputeCapability(self, card: FakeCard) -> tuple[int, int]:
        return self._answer(card, "capability", card.capability)

    def nvmlDeviceGetMemoryInfo(self, card: FakeCard, version: Any = None) -> SimpleNamespace:
        if version is not None and not self.tells_reserved:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        if version is None:  # the first version counts what the driver keeps as used
            info = SimpleNamespace(total=card.total, used=card.used + card.reserved)
        else:
            info = SimpleNamespace(total=card.total, used=card.used, reserved=card.reserved)
        return self._answer(card, "memory", info)

    def nvmlDeviceGetMigMode(self, card: FakeCard) -> tuple[int, int]:
        mode = pynvml.NVML_DEVICE_MIG_ENABLE if card.instances else pynvml.NVML_DEVICE_MIG_DISABLE
        return self._answer(card, "mig", (mode, mode))

    def nvmlDeviceGetMaxMigDeviceCount(self, card: FakeCard) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: FakeCard, slot: int) -> FakeCard:
        if slot == 0 or slot > len(card.instances):  # the first slot is empty
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return card.instances[slot - 1]

    @staticmethod
    def _answer(card: FakeCard, question: str, value: Any) -> Any:
        if question in card.fails:
            raise pynvml.NVMLError(card.fails[question])
        return value
