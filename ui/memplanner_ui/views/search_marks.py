"""The shape that stands for a risk to quality, beside its words."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QWidget

from memplanner.messages.cost import QualityRisk
from memplanner_ui.look import theme
from memplanner_ui.views.search_plot import INKS

SIZE = 9.0


def paint(painter: QPainter, center: QPointF, risk: QualityRisk) -> None:
    """Paints a dot, a diamond or a triangle around ``center``, as the plot does."""
    half = SIZE / 2
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.current().color(INKS[risk]))
    x, y = center.x(), center.y()
    if risk == "same_result":
        painter.drawEllipse(center, half * 0.9, half * 0.9)
    elif risk == "small_change":
        painter.drawPolygon(_polygon((x, y - half), (x + half, y), (x, y + half), (x - half, y)))
    else:
        low = y + half * 0.8
        painter.drawPolygon(_polygon((x, y - half), (x + half, low), (x - half, low)))
    painter.restore()


class RiskMark(QWidget):
    """The shape alone, for a legend or a panel."""

    def __init__(self, risk: QualityRisk | None, parent: QWidget | None = None) -> None:
        """None is for the plan as it is: a plus."""
        super().__init__(parent)
        self._risk = risk
        self.setFixedSize(14, 16)
        theme.current().changed.connect(self.update)

    def set_risk(self, risk: QualityRisk | None) -> None:
        """Shows another shape."""
        self._risk = risk
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        center = QRectF(self.rect()).center()
        if self._risk is not None:
            paint(painter, center, self._risk)
        else:
            ink = theme.current().color("text")
            painter.fillRect(QRectF(center.x() - 5, center.y() - 1, 10, 2), ink)
            painter.fillRect(QRectF(center.x() - 1, center.y() - 5, 2, 10), ink)
        painter.end()


def _polygon(*points: tuple[float, float]) -> QPolygonF:
    return QPolygonF([QPointF(*point) for point in points])
