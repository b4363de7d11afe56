"""The parts a bar is made of, taken from messages, and their words and numbers.

Ten colour categories stand for the engine's categories and for what lies around them: what has
no colour of its own (workspaces, buffers, inputs, allocator slack, context) is *overhead*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from memplanner.messages.estimate import Categories, Estimate
from memplanner.units import GIB, KIB, MIB, NOTHING, THIN_SPACE, format_bytes, format_difference

PARTS = (
    "parameters",
    "gradients",
    "optimizer_state",
    "activations",
    "kv_cache",
    "temporaries",
    "communication",
    "overhead",
    "other",
)
"""The filled parts of a bar, in the order they stand in everywhere."""
NAMED = PARTS[:-2]
"""Those that are categories of the engine's own."""
IN_SOME_PLANS = frozenset({"gradients", "optimizer_state", "kv_cache", "communication"})
"""Those that have no column where the open plan never has any."""

TITLES = {
    "parameters": "Parameters",
    "gradients": "Gradients",
    "optimizer_state": "Optimizer state",
    "activations": "Activations",
    "kv_cache": "KV cache",
    "temporaries": "Temporaries",
    "communication": "Communication",
    "overhead": "Overhead",
    "other": "Other",
    "free": "Free",
    "workspaces": "Workspaces",
    "buffers": "Buffers",
    "inputs": "Inputs",
}
SHORT_TITLES = {
    "parameters": "Param.",
    "gradients": "Grad.",
    "optimizer_state": "Optim.",
    "activations": "Activ.",
    "kv_cache": "KV",
    "temporaries": "Temp.",
    "communication": "Comm.",
}
PHASES = {
    "load": "Load",
    "prefill": "Prefill",
    "decode": "Decode",
    "forward": "Forward",
    "backward": "Backward",
    "optimizer_step": "Optimizer step",
    "between_steps": "Between steps",
}

OTHER_PROGRAMS = "Other programs"
"""The row of an estimate's overhead that has a part of its own."""
IN_OVERHEAD = ("workspaces", "buffers", "inputs")


def color_of(category: str) -> str:
    """The colour category that an engine's category is painted in."""
    return "overhead" if category in IN_OVERHEAD else category


@dataclass(frozen=True, slots=True)
class Budget:
    """An estimate as the budget bar shows it. All sizes are bytes."""

    parts: tuple[int, ...]
    """By ``PARTS``."""
    overhead: tuple[tuple[str, int], ...]
    """What the overhead is made of, with words."""
    peak_bytes: int
    capacity_bytes: int | None
    device: str
    on_cpu: bool
    margin_bytes: tuple[int, int] | None = None
    """The least and the most that the peak can be; None where it is not a margin."""
    margin_source: str = ""

    @property
    def free_bytes(self) -> int:
        """Capacity that nothing takes at the peak; zero when it is exceeded or unknown."""
        return max(0, (self.capacity_bytes or 0) - self.peak_bytes)


def whole_peak_bytes(estimate: Estimate) -> int:
    """What the device holds at the peak: the plan, its overhead and other programs.

    Taken from the spare memory where that is known, so that bar and verdict always agree.
    """
    memory, spare, peak = estimate.device.memory_bytes, estimate.spare_bytes, estimate.peak
    if memory is not None and spare is not None:
        return memory - spare
    return max(peak.allocated_bytes, peak.reserved_bytes or 0, peak.device_bytes or 0)


def margin_bytes(estimate: Estimate) -> tuple[int, int] | None:
    """The least and the most that the device can hold at the peak."""
    peak, whole = estimate.peak, whole_peak_bytes(estimate)
    low, expected, high = peak.device_low_bytes, peak.device_bytes, peak.device_high_bytes
    if low is None or expected is None or high is None:
        return None
    return whole - (expected - low), whole + (high - expected)


def margin_source(estimate: Estimate) -> str:
    """Where the margin's width comes from."""
    peak, rows = estimate.peak, estimate.overhead
    if peak.reserved_bytes is None or peak.device_low_bytes is None:
        return ""
    beside = sum(row.high_bytes - row.low_bytes for row in rows)
    whole = (peak.device_high_bytes or 0) - peak.device_low_bytes
    lines = [
        f"Allocator and kernels: {format_bytes(whole - beside)} of the width",
        *(
            f"{row.name}: {format_bytes(row.high_bytes - row.low_bytes)}, from {row.source}"
            for row in rows
            if row.high_bytes > row.low_bytes
        ),
    ]
    if peak.calibrated_bytes is not None:
        lines.append(f"Corrected by runs on this card: {format_bytes(peak.calibrated_bytes)}")
    return "\n".join(lines)


def around_the_plan(estimate: Estimate) -> tuple[int, int]:
    """What lies around the allocated peak: bytes of overhead, and of other programs."""
    around = max(0, whole_peak_bytes(estimate) - estimate.peak.allocated_bytes)
    other = min(around, estimate.device.used_bytes)
    return around - other, other


class Around(NamedTuple):
    """A row of what lies around the plan."""

    title: str
    explanation: str
    size_bytes: int
    other: bool = False
    """Whether other programs hold it."""


def around_rows(estimate: Estimate) -> tuple[Around, ...]:
    """What ``around_the_plan`` is made of, row by row."""
    around, other = around_the_plan(estimate)
    reserved = estimate.peak.reserved_bytes
    slack = 0 if reserved is None else min(around, reserved - estimate.peak.allocated_bytes)
    rows = [
        Around(row.name, f"from {row.source}", row.expected_bytes)
        for row in estimate.overhead
        if row.name != OTHER_PROGRAMS
    ]
    rest = around - slack - sum(row.size_bytes for row in rows)
    return (
        Around("Allocator slack", "held back by torch’s allocator", slack),
        *rows,
        Around("Kept by the driver", "no program gets it", rest),
        Around("Other processes", "now on the device", other, other=True),
    )


def budget(estimate: Estimate) -> Budget:
    """The budget of ``estimate``; its parts add up to ``peak_bytes``."""
    categories = estimate.peak.by_category
    rows = around_rows(estimate)
    inside = [(TITLES[name], getattr(categories, name)) for name in IN_OVERHEAD]
    inside += [(row.title, row.size_bytes) for row in rows if not row.other]
    other = sum(row.size_bytes for row in rows if row.other)
    overhead = sum(size for _, size in inside)
    return Budget(
        parts=(*part_bytes(categories)[: len(NAMED)], overhead, other),
        overhead=tuple((title, size) for title, size in inside if size),
        peak_bytes=whole_peak_bytes(estimate),
        capacity_bytes=estimate.device.memory_bytes,
        device=estimate.device.name,
        on_cpu=estimate.device.kind == "cpu",
        margin_bytes=margin_bytes(estimate),
        margin_source=margin_source(estimate),
    )


def part_bytes(categories: Categories, other: int = 0) -> tuple[int, ...]:
    """Bytes by ``PARTS``: categories without a colour are overhead."""
    named = [getattr(categories, name) for name in NAMED]
    overhead = sum(getattr(categories, name) for name in IN_OVERHEAD)
    return (*named, overhead, other)


def absent_parts(estimate: Estimate) -> frozenset[str]:
    """Which of ``IN_SOME_PLANS`` the plan has none of, at any moment."""
    peak, along = estimate.peak.by_category, estimate.timeline.by_category
    return frozenset(
        name for name in IN_SOME_PLANS if not getattr(peak, name) and not any(along.get(name, ()))
    )


def shown(parts: Sequence[int], total: int) -> list[int]:
    """``parts`` moved so that, as they are printed, they add up to ``total`` as it is printed.

    Each is rounded by itself and the largest takes the remainder, unless it is printed in a smaller
    unit than the total: then every part keeps its own number.
    """
    result = list(parts)
    largest = max(range(len(parts)), key=parts.__getitem__, default=-1)
    unit = _step(total)
    if largest >= 0 and _step(parts[largest]) == unit:
        others = sum(_printed(part) for part in (*parts[:largest], *parts[largest + 1 :]))
        result[largest] = round((_printed(total) - others) / unit) * unit
    return result


def _step(size_bytes: int) -> int:
    """The bytes of the last digit that is printed."""
    if size_bytes >= GIB - MIB // 2:
        return GIB // 10
    if size_bytes >= MIB - KIB // 2:
        return MIB
    return KIB if size_bytes >= KIB else 1


def _printed(size_bytes: int) -> int:
    step = _step(size_bytes)
    return round(size_bytes / step) * step


def plain_number(size_bytes: int, total: int) -> str:
    """``size_bytes`` without its unit where ``total`` has the same: ``15.0``, ``614 MiB``."""
    text, unit = format_bytes(size_bytes), format_bytes(total).split(" ")[-1]
    return text.removesuffix(f" {unit}")


def exact(size_bytes: int) -> str:
    """``size_bytes`` to the byte, for tool tips: ``16 060 522 496 bytes``."""
    return f"{size_bytes:,} bytes".replace(",", THIN_SPACE)


def distance(larger_bytes: int, smaller_bytes: int) -> str:
    """The difference of two sizes as printed, without a sign."""
    return format_difference(larger_bytes, smaller_bytes).lstrip("+−") or NOTHING


def lower(title: str) -> str:
    """``title`` inside a sentence; an abbreviation at its beginning stays as it is."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]
