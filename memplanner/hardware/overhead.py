"""What a device holds beside torch's allocator, row by row. Imports no torch.

A CUDA context sets memory apart for every thread that the card can hold at a time, so its size
follows from the number of multiprocessors. ``resources/overhead.json`` has the line through some
forty published observations, and the observations themselves; a measurement on the user's own
card (``hardware.measurement``) takes its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from statistics import median
from typing import Literal

from pydantic import Field

from memplanner.hardware.catalogue import card_of, cards
from memplanner.hardware.margin import Margin
from memplanner.messages.base import Message
from memplanner.messages.device import Device
from memplanner.messages.estimate import OverheadRow
from memplanner.units import KIB, MIB

CONTEXT = "CUDA context"
KERNELS = "Loaded kernels"
EAGER_KERNELS = "Kernels loaded at the start"
HIP_CONTEXT = "HIP context"
COMMUNICATION = "NCCL buffers"
OTHER_PROGRAMS = "Other programs"


class Observation(Message):
    """What one process was seen to hold beside torch's allocator."""

    card: str
    """Its name in the catalogue."""
    mib: int
    holds: Literal["context", "all"]
    """Only the context, or with it the kernels that a model's work had loaded."""
    source: str


class _Threads(Message):
    source: str
    by_architecture: dict[str, int]


class _Line(Message):
    told: str = ""
    """Where the value comes from, for a row; ``source`` says all."""
    source: str
    fixed_kib: int
    bytes_per_thread: int


class _Shares(Message):
    """Parts of the line's value."""

    told: str = ""
    """Where the value comes from, for a row; ``source`` says all."""
    source: str
    low: float
    expected: float
    high: float

    def of(self, size_bytes: int) -> Margin:
        return Margin(
            round(self.low * size_bytes),
            round(self.expected * size_bytes),
            round(self.high * size_bytes),
        )


class _Sizes(Message):
    told: str = ""
    """Where the value comes from, for a row; ``source`` says all."""
    source: str
    low_mib: int
    expected_mib: int
    high_mib: int

    def times(self, count: int) -> Margin:
        return Margin(
            count * self.low_mib * MIB, count * self.expected_mib * MIB, count * self.high_mib * MIB
        )


class _File(Message):
    """The whole of ``overhead.json``."""

    schema_: int = Field(alias="schema")
    threads_per_multiprocessor: _Threads
    line: _Line
    context: _Shares
    kernels: _Shares
    eager_kernels: _Sizes
    hip_context: _Sizes
    communicator: _Sizes
    driver_reserve: _Sizes
    driver_reserve_share: _Shares
    observations: tuple[Observation, ...]


@cache
def _read() -> _File:
    text = files("memplanner.resources").joinpath("overhead.json").read_text(encoding="utf-8")
    return _File.model_validate(json.loads(text))


def overhead(
    device: Device,
    *,
    ranks: int = 1,
    communicators: int = 1,
    eager_loading: bool = False,
    measured: Iterable[OverheadRow] = (),
) -> tuple[OverheadRow, ...]:
    """What ``device`` will hold beside what torch's allocator has reserved, a row for each part.

    ``communicators`` are the process groups that communicate, where there are several ``ranks``;
    ``eager_loading`` says that ``CUDA_MODULE_LOADING=EAGER`` is set. A row of ``measured``, from
    this very card, takes the place of the one with its name. A CPU has no rows, and a device
    whose runtime nobody has measured (``unknown_overhead``) only that of other programs.
    """
    rows: list[OverheadRow] = []
    data = _read()
    if device.kind == "cuda":
        line = context_line(device)
        rows.append(row_of(CONTEXT, _context(line, data.context), data.line.told))
        rows.append(row_of(KERNELS, _context(line, data.kernels), data.kernels.told))
        if eager_loading:
            eager = data.eager_kernels
            rows.append(row_of(EAGER_KERNELS, eager.times(1), eager.told))
    elif device.kind == "rocm":
        rows.append(row_of(HIP_CONTEXT, data.hip_context.times(1), data.hip_context.told))
    if device.kind in {"cuda", "rocm"} and ranks > 1:
        buffers = data.communicator
        rows.append(row_of(COMMUNICATION, buffers.times(communicators), buffers.told))
    better = {row.name: row for row in measured}
    rows = [better.get(row.name, row) for row in rows]
    if device.kind != "cpu" and device.used_bytes:
        held = Margin.exactly(device.used_bytes)
        rows.append(row_of(OTHER_PROGRAMS, held, "the driver, now"))
    return tuple(rows)


def total(rows: Iterable[OverheadRow]) -> Margin:
    """The sum of the rows."""
    whole = Margin.exactly(0)
    for row in rows:
        whole = whole.plus(Margin(row.low_bytes, row.expected_bytes, row.high_bytes))
    return whole


def unknown_overhead(device: Device) -> str | None:
    """A sentence where what the device's runtime holds is not known; else None."""
    if device.kind == "mps":
        return (
            "What Metal holds beside torch's allocator is not known, and it shares the memory "
            "with all other programs, so the device's figure has none of it."
        )
    if device.kind == "xpu":
        return (
            "What Intel's runtime holds beside torch's allocator is not known, so the device's "
            "figure has none of it."
        )
    return None


def driver_reserve(device: Device) -> Margin:
    """Bytes of ``device.memory_bytes`` that no program gets, since the driver keeps them.

    Zero where the memory is already what the runtime reports; not zero for the cards of the
    catalogue that are known only by what nvidia-smi shows.
    """
    card = card_of(device)
    if device.local or card is None or card.kind != "cuda":
        return Margin.exactly(0)
    if card.memory_source not in {"nvidia-smi", "datasheet"}:
        return Margin.exactly(0)
    data = _read()
    sizes = data.driver_reserve.times(1)
    return Margin(*map(min, sizes, data.driver_reserve_share.of(card.memory_bytes)))


def context_line(device: Device) -> Margin:
    """The line's value for the card's multiprocessors, context and kernels together.

    All three are equal where the number of multiprocessors is known. Where it is not, they are
    the values for the smallest, middle and largest card of its architecture in the catalogue, or
    of all architectures where that is unknown too.
    """
    card = card_of(device)
    if card is not None and card.multiprocessors is not None:
        return Margin.exactly(_on_line(card.architecture, card.multiprocessors))
    known = [
        (one.architecture, one.multiprocessors)
        for one in cards()
        if one.multiprocessors is not None and " MIG " not in one.name
    ]
    alike = [pair for pair in known if pair[0] == device.architecture] or known
    values = sorted(_on_line(*pair) for pair in alike)
    return Margin(values[0], int(median(values)), values[-1])


def observations() -> tuple[Observation, ...]:
    """What the line was drawn through."""
    return _read().observations


def resident_threads(architecture: str, multiprocessors: int) -> int:
    """Threads that a card can hold at a time; an unknown architecture counts as the most."""
    table = _read().threads_per_multiprocessor.by_architecture
    return multiprocessors * table.get(architecture, max(table.values()))


def _on_line(architecture: str, multiprocessors: int) -> int:
    line = _read().line
    threads = resident_threads(architecture, multiprocessors)
    return line.fixed_kib * KIB + line.bytes_per_thread * threads


def _context(line: Margin, shares: _Shares) -> Margin:
    return Margin(
        shares.of(line.low_bytes).low_bytes,
        shares.of(line.expected_bytes).expected_bytes,
        shares.of(line.high_bytes).high_bytes,
    )


def row_of(name: str, margin: Margin, source: str) -> OverheadRow:
    """A part of what a device holds, with where its size is from."""
    return OverheadRow(
        name=name,
        low_bytes=margin.low_bytes,
        expected_bytes=margin.expected_bytes,
        high_bytes=margin.high_bytes,
        source=source,
    )
