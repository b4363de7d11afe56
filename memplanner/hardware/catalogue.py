"""The card catalogue: what ``resources/cards.json`` says about accelerators. Imports no torch."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from pydantic import Field

from memplanner.messages.base import Message
from memplanner.messages.device import Device, DeviceKind


class Throughput(Message):
    """Dense arithmetic in TFLOP/s (10¹²), tensor cores where there are any; None when unknown.

    Products accumulate in fp32. ``fp32`` is plain fp32 arithmetic, ``tf32`` its fast substitute.
    """

    fp32: float | None
    tf32: float | None
    bf16: float | None
    fp16: float | None
    fp8: float | None


_WHOLE_MEMORY = frozenset({"jetson", "phones", "raspberry pi"})
"""Sources that state a board's whole memory."""


class Card(Message):
    """An accelerator as its maker and its runtime describe it. What is not known is None."""

    name: str
    aliases: tuple[str, ...] = ()
    """Other names that people use for it."""
    reported: tuple[str, ...] = ()
    """Names by which the driver reports it; cards of different memory may share one."""
    kind: DeviceKind
    architecture: str
    """CUDA compute capability, AMD's target, or empty."""
    architecture_source: str | None
    multiprocessors: int | None = Field(gt=0)
    """Of an NVIDIA card, by its data sheet; a CUDA context's size follows from them."""
    memory_bytes: int = Field(gt=0)
    """What a program sees, or the nearest known to it; see ``memory_source``."""
    memory_source: str
    bandwidth_gb_s: float | None
    """Of the device's memory, in GB/s (10⁹)."""
    tflops: Throughput
    interconnect: str | None
    interconnect_gb_s: float | None
    """Both directions together, in GB/s (10⁹)."""
    performance_source: str
    power_watts: int | None = Field(gt=0)
    """The board's power limit, by the source of its performance."""

    @property
    def device(self) -> Device:
        """The card as a device that no program uses."""
        return Device(
            name=self.name,
            kind=self.kind,
            memory_bytes=self.memory_bytes,
            architecture=self.architecture,
        )

    @property
    def shares_memory(self) -> bool:
        """Whether ``memory_bytes`` is all there is for the system and every program together."""
        return self.memory_source in _WHOLE_MEMORY

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every name by which the card is found."""
        return (self.name, *self.aliases, *self.reported)


class _File(Message):
    """The whole of ``cards.json``."""

    schema_: int = Field(alias="schema")
    sources: dict[str, str]
    cards: tuple[Card, ...]


@cache
def _read() -> _File:
    text = files("memplanner.resources").joinpath("cards.json").read_text(encoding="utf-8")
    return _File.model_validate(json.loads(text))


def cards() -> tuple[Card, ...]:
    """Every card of the catalogue, in the order in which a list shows them."""
    return _read().cards


def sources() -> dict[str, str]:
    """What the short names in a card's ``…_source`` fields stand for."""
    return dict(_read().sources)


def catalogue() -> tuple[Device, ...]:
    """Every card of the catalogue as a device."""
    return tuple(card.device for card in cards())


def card_of(device: Device) -> Card | None:
    """The card that ``device`` is, for its bandwidth and throughput; None when it is not known.

    A card in this machine is known by the name that its driver reports, and of several cards
    with that name it is the one whose memory is nearest.
    """
    if not device.local:
        return next((card for card in cards() if card.name == device.name), None)
    alike = [card for card in cards() if device.name in card.reported]
    return min(
        alike,
        key=lambda card: abs(card.memory_bytes - (device.memory_bytes or 0)),
        default=None,
    )
