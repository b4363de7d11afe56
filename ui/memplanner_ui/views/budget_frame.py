"""What the budget bar paints: values on their way from one budget to the next, and its texts."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QFont, QFontMetricsF

from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.budget_words import capacity_label
from memplanner_ui.views.parts import Budget, plain_number, shown

NUMBER_WIDTH = 30
"""Pixels at 100 % text from which a segment carries its number."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is painted now: the values on their way from the last budget to the newest."""

    parts: tuple[float, ...]
    peak: float
    capacity: float
    low: float
    high: float

    @property
    def full(self) -> float:
        """What the bar's whole width stands for."""
        return max(self.capacity, self.peak, 1.0)


def frame_of(budget: Budget) -> Frame:
    """The values of a budget."""
    parts = tuple(float(part) for part in budget.parts)
    low, high = budget.margin_bytes or (budget.peak_bytes, budget.peak_bytes)
    return Frame(
        parts, float(budget.peak_bytes), float(budget.capacity_bytes or 0), float(low), float(high)
    )


@dataclass(frozen=True, slots=True)
class Said:
    """The texts of a budget with their widths: the same in every frame on the way to it."""

    numbers: tuple[str, ...]
    """Of each part; so are ``widths``."""
    widths: tuple[float, ...]
    peak: str
    peak_width: float
    capacity: str
    capacity_width: float


def said_of(budget: Budget) -> Said:
    """The texts of a budget, in the fonts of now."""
    peak = plain_number(budget.peak_bytes, budget.peak_bytes)
    if budget.capacity_bytes is None or _unit(budget.capacity_bytes) != _unit(budget.peak_bytes):
        peak = format_bytes(budget.peak_bytes)
    peak = translate("Views", "peak {peak}").format(peak=peak)
    capacity = capacity_label(budget) if budget.capacity_bytes else ""
    sizes = shown(budget.parts, budget.peak_bytes)
    numbers = tuple(plain_number(size, budget.peak_bytes) for size in sizes)
    width = QFontMetricsF(fonts.semibold("body")).horizontalAdvance
    return Said(
        numbers,
        tuple(map(width, numbers)),
        peak,
        QFontMetricsF(peak_font()).horizontalAdvance(peak),
        capacity,
        QFontMetricsF(fonts.semibold("axis")).horizontalAdvance(capacity),
    )


def between(start: Frame, end: Frame, share: float) -> Frame:
    """The values a ``share`` of the way from ``start`` to ``end``."""

    def mix(a: float, b: float) -> float:
        return a + (b - a) * share

    return Frame(
        tuple(mix(a, b) for a, b in zip(start.parts, end.parts, strict=True)),
        mix(start.peak, end.peak),
        mix(start.capacity, end.capacity),
        mix(start.low, end.low),
        mix(start.high, end.high),
    )


def room_for(number_width: float) -> float:
    """The width from which a segment carries its number."""
    return max(fonts.scaled(NUMBER_WIDTH), number_width + 8)


def peak_font() -> QFont:
    """The font of the peak's number."""
    font = fonts.font("axis")
    font.setWeight(QFont.Weight.Medium)
    return font


def _unit(size_bytes: int) -> str:
    return format_bytes(size_bytes).split(" ")[-1]
