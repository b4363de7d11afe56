"""How fast a card works: its data sheet's rates, and the part of them that training reaches.

The parts are fitted on published throughputs, half of them held out (``benchmarks/throughput.py``
prints both halves); what a constant stands for beside is said where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from memplanner.hardware.catalogue import Card, Throughput, card_of
from memplanner.messages.device import Device

_GB, _TERA = 1e9, 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """The part of a data sheet's rate that the kernels of a training step reach."""

    products: float
    attention: float
    """Of fused attention, whose exponentials do not run on tensor cores."""
    memory: float


BEFORE_HOPPER = Efficiency(products=0.80, attention=0.50, memory=0.50)
FROM_HOPPER = Efficiency(products=0.60, attention=0.40, memory=0.50)
"""From compute capability 9.0 on, and AMD's cards: tensor cores that are faster than power and
memory let them be. Products and memory are fitted. Attention is not: the published steps ran an
older kernel (``OLD_ATTENTION``); today's reach about half of an A100's rate forward and backward
(Dao 2023, arXiv:2307.08691) and more than a third of an H100's (Shah et al. 2024,
arXiv:2407.08608)."""
OLD_ATTENTION = {"BEFORE_HOPPER": 0.30, "FROM_HOPPER": 0.20}
"""What the first FlashAttention reached in the published steps, fitted with the rest."""
LOW, HIGH = 0.88, 1.20
"""Of an estimate. Four of five held-out steps took 0.95 to 1.12 of it; the rest is for what no row
tells of: other cards than A100 and H100, other attention kernels, one card without FSDP."""

LAUNCH_SECONDS = 10e-6
"""Of the host, for an operation that PyTorch runs eagerly. Assumed, not measured: some 5 µs in
backward, 10 to 20 where a model's Python runs; it counts where kernels are shorter."""
SHORTEST_KERNEL_SECONDS = 2e-6
BUS_PART = 0.8
"""Of PCIe's rate for pinned memory."""
LINK_PART = 0.7
"""Of a link's rate in one direction, for collectives of some tens of MiB."""
COLLECTIVE_SECONDS = 30e-6
"""What a call takes beside what it sends."""
HOST_MEMORY_BYTES = 60e9
"""What the optimizer in host memory moves in a second: a server's CPU, not measured here."""
CPU_FLOPS, CPU_MEMORY_BYTES, CPU_LAUNCH_SECONDS = 5e10, 1e10, 1e-5
"""Stand-ins for a CPU, of which no data sheet is known: runs correct them before they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a device does in a second while it trains."""

    products: dict[str, float]
    """FLOP/s by precision: ``fp32``, ``bf16``, ``fp16``, ``fp8``, ``int8``."""
    attention: dict[str, float]
    memory_bytes: float
    bus_bytes: float
    """Between the device and host memory, in one direction."""
    launch_seconds: float
    shortest_seconds: float
    power_watts: float | None = None
    low: float = LOW
    high: float = HIGH
    how: str = ""

    def scaled(self, factor: float, low: float, high: float, how: str) -> Rates:
        """The rates of a device whose steps take ``factor`` times as long."""
        slower = {name: rate / factor for name, rate in self.products.items()}
        attention = {name: rate / factor for name, rate in self.attention.items()}
        return replace(
            self,
            products=slower,
            attention=attention,
            memory_bytes=self.memory_bytes / factor,
            bus_bytes=self.bus_bytes / factor,
            launch_seconds=self.launch_seconds * factor,
            shortest_seconds=self.shortest_seconds * factor,
            low=low,
            high=high,
            how=how,
        )


def efficiency_of(card: Card) -> Efficiency:
    """The parts for a card's generation."""
    major, _, _ = card.architecture.partition(".")
    if card.kind == "rocm" or (major.isdigit() and int(major) >= 9):
        return FROM_HOPPER
    return BEFORE_HOPPER


def rates_of(device: Device, parts: Efficiency | None = None) -> Rates | None:
    """The rates of a card by its data sheet; None where that is not known, and for a CPU."""
    card = card_of(device)
    if card is None or card.bandwidth_gb_s is None or card.kind == "cpu":
        return None
    own = efficiency_of(card) if parts is None else parts
    stated = _by_precision(card.tflops)
    if not stated:
        return None
    return Rates(
        products={name: rate * _TERA * own.products for name, rate in stated.items()},
        attention={name: rate * _TERA * own.attention for name, rate in stated.items()},
        memory_bytes=card.bandwidth_gb_s * _GB * own.memory,
        bus_bytes=bus_bytes(card),
        launch_seconds=LAUNCH_SECONDS,
        shortest_seconds=SHORTEST_KERNEL_SECONDS,
        power_watts=card.power_watts,
        how=_told(card, own),
    )


def _told(card: Card, parts: Efficiency) -> str:
    reached = (
        f"{100 * part:.0f} % {where}"
        for part, where in (
            (parts.products, "in products"),
            (parts.attention, "in attention"),
            (parts.memory, "of the memory's"),
        )
    )
    return (
        f"Rates of {card.name} by its data sheet, of which training reaches "
        f"{', '.join(reached)}: fitted on published throughputs, attention's from papers."
    )


def stand_in_rates() -> Rates:
    """Rates of a CPU that only runs make true."""
    flops = dict.fromkeys(("fp32", "bf16", "fp16", "fp8", "int8"), CPU_FLOPS)
    return Rates(
        products=flops,
        attention=flops,
        memory_bytes=CPU_MEMORY_BYTES,
        bus_bytes=CPU_MEMORY_BYTES,
        launch_seconds=0.0,
        shortest_seconds=CPU_LAUNCH_SECONDS,
    )


def _by_precision(tflops: Throughput) -> dict[str, float]:
    """TFLOP/s; a type that the card has no rate for runs at the next wider one's."""
    fp32 = tflops.fp32
    half = tflops.fp16 or tflops.bf16 or fp32
    known = {
        "fp32": fp32 or tflops.tf32,
        "bf16": tflops.bf16 or fp32,
        "fp16": half,
        "fp8": tflops.fp8 or half,
        "int8": tflops.fp8 or half,
    }
    return {name: rate for name, rate in known.items() if rate is not None}


_BUS_GB_S = {"5.0 x16": 64.0, "5.0 x8": 32.0, "4.0 x16": 32.0, "4.0 x8": 16.0, "3.0 x16": 16.0}
"""Of one direction, by what a card's interconnect says of PCIe."""


def bus_bytes(card: Card) -> float:
    """What PCIe moves in a second, in one direction: of a card with another link, its host's."""
    stated = card.interconnect or ""
    for words, rate in _BUS_GB_S.items():
        if stated == f"PCIe {words}":
            return rate * _GB * BUS_PART
    major, _, _ = card.architecture.partition(".")
    newer = major.isdigit() and int(major) >= 9
    return _BUS_GB_S["5.0 x16" if newer else "4.0 x16"] * _GB * BUS_PART
