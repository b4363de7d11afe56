"""The letter that a plan has while plans stand side by side, on its colour."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner.report.charts import INKS
from memplanner.report.differences import letter
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts

SIZE = 17


def color(place: int) -> QColor:
    """The colour of the plan at ``place``; those that are not drawn share a faint one."""
    return theme.current().color(INKS[place] if place < len(INKS) else "text3")


def paint(painter: QPainter, area: QRectF, place: int) -> None:
    """Paints the letter of the plan at ``place``."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(place))
    painter.drawRoundedRect(area, 3, 3)
    painter.setPen(theme.current().color("base"))
    painter.setFont(fonts.semibold("secondary"))
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter, letter(place))
    painter.restore()


class LetterChip(QWidget):
    """The letter as a widget of its own."""

    def __init__(self, place: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Views", "Plan {letter}").format(letter=letter(place)))
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(fonts.scaled(SIZE), fonts.scaled(SIZE))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint(painter, QRectF(self.rect()), self._place)
        painter.end()
