"""The words of the live plot: the lines' names above it, and their values at its right end."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views.live_ranks import RANK_DASHES

RANK = "rank "
"""Kinds of lines that begin so are other ranks', counted from 0."""
DASHES = {"reserved": Qt.PenStyle.DashLine, "device": Qt.PenStyle.DotLine}
_LABELS_WIDTH = 114
_LEGEND_HEIGHT = 26


def legend_lines(on_cpu: bool, shown: dict[str, bool]) -> list[tuple[str, str]]:
    """What is drawn of one rank: kind and title of each line."""
    lines = [("predicted", translate("Views", "Predicted"))]
    if shown["allocated"]:
        lines.append(("allocated", translate("Views", "Allocated")))
    if shown["reserved"] and not on_cpu:
        lines.append(("reserved", translate("Views", "Reserved")))
    if shown["device"]:
        lines.append(
            (
                "device",
                translate("Views", "Process memory")
                if on_cpu
                else translate("Views", "Whole device"),
            )
        )
    return lines


class SideLabels(QWidget):
    """The words at the right end of the lines, moved apart where they would overlap."""

    def __init__(self, plot: QWidget, y_of: Callable[[float], float]) -> None:
        super().__init__(plot)
        self._y_of = y_of
        self._labels: list[tuple[float, str, str]] = []
        self.setFixedWidth(fonts.scaled(_LABELS_WIDTH))

    def set_labels(self, labels: list[tuple[float, str, str]]) -> None:
        """Shows ``labels``: value, words, ink."""
        if labels != self._labels:
            self._labels = labels
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        colors = theme.current()
        painter.fillRect(self.rect(), colors.color("base"))
        font = fonts.font("axis")
        font.setWeight(font.Weight.Medium)
        painter.setFont(font)
        height = QFontMetricsF(font).height()
        wanted = sorted((self._y_of(v), text, ink) for v, text, ink in self._labels)
        last = -height
        for y, text, ink in wanted:
            y = max(y, last + height, height / 2)
            last = y
            area = QRectF(8, y - height / 2, self.width() - 8, height)
            painter.setPen(colors.color(ink))
            painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()


class Legend(QWidget):
    """The lines' names, each with a piece of its line; the axis' unit below."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[str, str]] = []
        self._unit = "GiB"
        self.setFixedHeight(fonts.scaled(_LEGEND_HEIGHT + 16))

    def set_lines(self, lines: list[tuple[str, str]]) -> None:
        """Names ``lines``: kind and title."""
        self._lines = lines
        self.update()

    def set_unit(self, unit: str) -> None:
        """Names the unit of the axis."""
        if unit != self._unit:
            self._unit = unit
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        colors = theme.current()
        painter.fillRect(self.rect(), colors.color("base"))
        font = fonts.font("secondary")
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        x, y = 16.0, fonts.scaled(_LEGEND_HEIGHT) / 2
        accent = colors.color("accent")
        for kind, title in self._lines:
            ink = colors.color("text2") if kind == "predicted" else accent
            style = DASHES.get(kind, Qt.PenStyle.SolidLine)
            if kind.startswith(RANK):
                style = RANK_DASHES[int(kind.removeprefix(RANK)) % len(RANK_DASHES)]
            if kind == "allocated":
                area = QColor(accent)
                area.setAlphaF(0.16)
                painter.fillRect(QRectF(x, y - 4, 20, 8), area)
            painter.setPen(QPen(ink, 1.4, style))
            line_y = y - 4 if kind == "allocated" else y
            painter.drawLine(QPointF(x, line_y), QPointF(x + 20, line_y))
            width = metrics.horizontalAdvance(title)
            painter.setPen(colors.color("text"))
            area_of_text = QRectF(x + 27, y - 9, width + 2, 18)
            painter.drawText(area_of_text, int(Qt.AlignmentFlag.AlignVCenter), title)
            x += 27 + width + 20
        painter.setFont(fonts.font("axis"))
        painter.setPen(colors.color("text2"))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(0, self.height() - 17, 45, 16), right, self._unit)
        painter.end()
