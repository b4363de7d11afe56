"""The legend below the budget bar: every part with its number, as far as there is room."""

from __future__ import annotations

from collections.abc import Set
from functools import cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter

from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views import swatch
from memplanner_ui.views.budget_words import legend
from memplanner_ui.views.parts import Budget, short_title, title_of

_GAP, _CLOSE_GAP = 16.0, 10.0
_END = 6.0
"""Pixels that stay free at the right."""


def paint(painter: QPainter, budget: Budget, row: QRectF, in_bar: Set[str]) -> None:
    """Paints it from the left of ``row``; ``in_bar`` are parts whose number the bar says."""
    colors = theme.current()
    entries = legend(budget)
    font, strong = fonts.font("secondary"), fonts.semibold("secondary")
    title_width = cache(QFontMetricsF(font).horizontalAdvance)  # each is asked for several times
    number_width = cache(QFontMetricsF(strong).horizontalAdvance)
    room = row.width() - _END

    def width_of(title: str, number: str) -> float:
        return swatch.SIZE + 6 + title_width(title) + number_width(number) + 5

    spacing = _GAP
    titles = [title_of(name) for name, _ in entries]

    def needed() -> float:
        pairs = zip(titles, entries, strict=True)
        return sum(width_of(title, number) + spacing for title, (_, number) in pairs) - spacing

    if needed() > room:
        spacing = _CLOSE_GAP
    if needed() > room:
        titles = [short_title(name) for name, _ in entries]
    if needed() > room:  # the numbers that stand in the bar are not said twice
        entries = [(name, "" if name in in_bar else number) for name, number in entries]
    left, center = row.left(), row.center().y()
    for title, (name, number) in zip(titles, entries, strict=True):
        if left + width_of(title, number) > row.right():
            break  # half a number would be a wrong one; tool tips have them all
        square = QRectF(left, center - swatch.SIZE / 2, swatch.SIZE, swatch.SIZE)
        swatch.paint(painter, square, name)
        x = left + swatch.SIZE + 6
        width = title_width(title)
        painter.setPen(colors.color("text2"))
        _draw(painter, font, QRectF(x, row.top(), width + 2, row.height()), title)
        painter.setPen(colors.color("text"))
        area = QRectF(x + width + 5, row.top(), number_width(number) + 2, row.height())
        _draw(painter, strong, area, number)
        left += width_of(title, number) + spacing


def _draw(painter: QPainter, font: QFont, area: QRectF, text: str) -> None:
    painter.setFont(font)
    flags = Qt.AlignmentFlag.AlignVCenter
    painter.drawText(area, int(flags) | int(Qt.TextFlag.TextDontClip), text)
