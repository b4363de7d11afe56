"""The steps of several plans over each other, told apart by dash, colour and letter."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner.report.alignment import Aligned, Curve
from memplanner.report.charts import DASHES, spread
from memplanner.report.differences import letter
from memplanner.units import format_bytes
from memplanner_ui.language import of_plan, translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views import compare_letter, ticks
from memplanner_ui.views.budget_words import capacity_words

_LEFT, _RIGHT, _BAND, _FOOT = 48, 128, 19, 20
_DASH = ((), (5.0, 3.0), (1.5, 2.5))
"""Of the curves, in pen widths."""
_WIDTH = 1.5


class ComparePlot(QWidget):
    """Paints an ``Aligned``; what it says is in its description and in the table below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._made: Aligned | None = None
        self._capacity: int | None = None
        self._device = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setAccessibleName(translate("Views", "Steps of the plans over each other"))
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(700, fonts.scaled(190))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, fonts.scaled(150))

    def show_steps(self, made: Aligned, capacity_bytes: int | None) -> None:
        """Shows the curves of the first plans."""
        self._made, self._capacity = made, capacity_bytes
        told = [
            _peaks(letter(place), format_bytes(curve.peak[1]), _where(made, curve))
            for place, curve in self._drawn()
        ]
        self.setAccessibleDescription("; ".join(told) or translate("Views", "Nothing to draw"))
        self.update()

    def _drawn(self) -> list[tuple[int, Curve]]:
        if self._made is None:
            return []
        first = self._made.curves[: len(DASHES)]
        return [(place, curve) for place, curve in enumerate(first) if curve is not None]

    # Geometry

    def _area(self) -> QRectF:
        top = fonts.scaled(_BAND) + 10 if self._made is not None and self._made.bands else 10
        left, foot = fonts.scaled(_LEFT), fonts.scaled(_FOOT)
        width = self.width() - left - fonts.scaled(_RIGHT)
        return QRectF(left, top, max(1.0, width), max(1.0, self.height() - top - foot))

    def _top_bytes(self) -> float:
        highest = max((max(c.peak[1], *c.whole_bytes) for _, c in self._drawn()), default=1)
        capacity = self._capacity or 0
        return max(highest, capacity if highest > 0.3 * capacity else 0, 1) * 1.05

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        painter.fillRect(self.rect(), theme.current().color("base"))
        if self._made is not None and self._drawn():
            self._paint(painter, self._made)
        painter.end()

    def _paint(self, painter: QPainter, made: Aligned) -> None:
        colors, area, top = theme.current(), self._area(), self._top_bytes()

        def y(size_bytes: float) -> float:
            return area.bottom() - size_bytes / top * area.height()

        self._paint_grid(painter, area, top)
        self._paint_bands(painter, made, area)
        labels: list[tuple[float, str, int]] = []
        if self._capacity and self._capacity <= top:
            limit = y(self._capacity)
            painter.fillRect(
                QRectF(area.left(), limit - 1, area.width(), 2), colors.color("trouble")
            )
            labels.append(
                (
                    limit,
                    capacity_words(self._capacity, on_cpu=False),
                    -1,
                )
            )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place, curve in self._drawn():
            pen = QPen(compare_letter.color(place), _WIDTH)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            if _DASH[place]:
                pen.setDashPattern(list(_DASH[place]))
            painter.setPen(pen)
            for first, stop, end in curve.pieces:
                painter.drawPolyline(_stairs(curve, first, stop, end, area, top))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(compare_letter.color(place))
            x = area.left() + curve.peak[0] * area.width()
            painter.drawEllipse(QPointF(x, y(curve.peak[1])), 3, 3)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            labels.append(
                (
                    y(curve.peak[1]),
                    translate("Views", "peak {peak}").format(peak=format_bytes(curve.peak[1])),
                    place,
                )
            )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        self._paint_labels(painter, area, labels)
        self._paint_caption(painter, made, area)

    def _paint_grid(self, painter: QPainter, area: QRectF, top: float) -> None:
        colors, font = theme.current(), fonts.font("axis")
        painter.setFont(font)
        count = max(2, int(area.height() / (1.6 * QFontMetricsF(font).height())))
        for size, words in ticks.sizes(top, count):
            y = round(area.bottom() - size / top * area.height())
            painter.fillRect(QRectF(area.left(), y, area.width(), 1), colors.color("hairline"))
            painter.setPen(colors.color("text3"))
            row = QRectF(0, y - 10, area.left() - 8, 20)
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(row, int(flags), words)

    def _paint_bands(self, painter: QPainter, made: Aligned, area: QRectF) -> None:
        colors, font = theme.current(), fonts.font("axis")
        metrics = QFontMetricsF(font)
        for band in made.bands:
            left = area.left() + band.left * area.width()
            right = area.left() + band.right * area.width()
            place = QRectF(left, 4, max(1.0, right - left - 1), fonts.scaled(_BAND) - 2)
            painter.fillRect(place, colors.color("hover"))
            painter.fillRect(
                QRectF(right - 1, area.top(), 1, area.height()), colors.color("hairline")
            )
            painter.setPen(colors.color("text2"))
            painter.setFont(font)
            words = metrics.elidedText(
                of_plan(band.title), Qt.TextElideMode.ElideRight, place.width() - 4
            )
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), words)

    def _paint_labels(
        self, painter: QPainter, area: QRectF, labels: list[tuple[float, str, int]]
    ) -> None:
        """What each line is, at its right end, moved apart where two would overlap."""
        colors, size = theme.current(), fonts.scaled(compare_letter.SIZE)
        places = spread([y for y, _, _ in labels], size + 3, size / 2)
        for (_, words, place), y in zip(labels, places, strict=True):
            left = area.right() + 8
            if place >= 0:
                compare_letter.paint(painter, QRectF(left, y - size / 2, size, size), place)
                left += size + 5
            painter.setFont(fonts.font("axis") if place >= 0 else fonts.semibold("axis"))
            painter.setPen(colors.color("text2" if place >= 0 else "text"))
            row = QRectF(left, y - 10, self.width() - left, 20)
            painter.drawText(row, int(Qt.AlignmentFlag.AlignVCenter), words)

    def _paint_caption(self, painter: QPainter, made: Aligned, area: QRectF) -> None:
        font = fonts.font("axis")
        painter.setFont(font)
        painter.setPen(theme.current().color("text3"))
        height = fonts.scaled(_FOOT) - 3
        row = QRectF(area.left(), area.bottom() + 3, self.width() - area.left() - 8, height)
        words = QFontMetricsF(font).elidedText(
            of_plan(made.caption), Qt.TextElideMode.ElideRight, row.width()
        )
        painter.drawText(row, int(Qt.AlignmentFlag.AlignVCenter), words)


def _stairs(curve: Curve, first: int, stop: int, end: float, area: QRectF, top: float) -> QPolygonF:
    points: list[QPointF] = []
    for place in range(first, stop):
        x = area.left() + curve.x[place] * area.width()
        y = area.bottom() - curve.whole_bytes[place] / top * area.height()
        if points:
            points.append(QPointF(x, points[-1].y()))
        points.append(QPointF(x, y))
    points.append(QPointF(area.left() + end * area.width(), points[-1].y()))
    return QPolygonF(points)


def _where(made: Aligned, curve: Curve) -> str | None:
    band = next((b for b in reversed(made.bands) if b.left <= curve.peak[0]), None)
    return None if band is None else of_plan(band.title)


def _peaks(plan: str, peak: str, phase: str | None) -> str:
    if phase is None:
        return translate("Views", "{plan} peaks at {peak}").format(plan=plan, peak=peak)
    return translate("Views", "{plan} peaks at {peak} in {phase}").format(
        plan=plan, peak=peak, phase=phase.lower()
    )
