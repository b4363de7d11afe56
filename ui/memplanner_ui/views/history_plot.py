"""How far predictions were off, run after run: dots around the line of no error."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QToolTip, QWidget

from memplanner.messages.history import KeptRun
from memplanner.report import past_runs
from memplanner.report.past_runs import CAUTION
from memplanner.units import MINUS
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views import ticks
from memplanner_ui.views.history_data import said
from memplanner_ui.views.history_words import told

_LEFT, _RIGHT, _TOP, _FOOT = 58, 20, 12, 24
_DOT, _NEAR = 3.5, 12.0
_LEAST_SPAN = 0.05
"""The axis reaches this far at least, so that the band is in sight and small errors look small."""
_ROOM = 1.15


class HistoryPlot(QWidget):
    """Paints runs from the oldest to the latest. Arrow keys go through them; a press selects."""

    selected = Signal(int)
    """The number of a run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[KeptRun, ...] = ()
        self._selected: int | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(translate("Views", "Errors of predictions over time"))
        self.show_runs(())
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(700, fonts.scaled(240))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, fonts.scaled(130))

    def show_runs(self, runs: Sequence[KeptRun]) -> None:
        """Shows runs, given the latest first; one without an error has no place here."""
        self._runs = tuple(run for run in reversed(runs) if run.error is not None)
        self._describe()
        self.update()

    def select(self, number: int | None) -> None:
        """Puts the ring around a run, without telling."""
        self._selected = number
        self._describe()
        self.update()

    def _describe(self) -> None:
        place = self._place_of_selected()
        if place >= 0:
            self.setAccessibleDescription(said(past_runs.row(self._runs[place])))
            return
        self.setAccessibleDescription(told(self._runs))

    # Geometry

    def _area(self) -> QRectF:
        left, top = fonts.scaled(_LEFT), _TOP
        width = self.width() - left - _RIGHT
        height = self.height() - top - fonts.scaled(_FOOT)
        return QRectF(left, top, max(1.0, width), max(1.0, height))

    def _span(self) -> float:
        """How far the axis reaches from the middle, as a share."""
        return max(
            _LEAST_SPAN, _ROOM * max((abs(run.error or 0.0) for run in self._runs), default=0)
        )

    def _point(self, place: int) -> QPointF:
        area, count = self._area(), len(self._runs)
        x = area.left() + (place + 0.5) / max(1, count) * area.width()
        return QPointF(x, self._y(self._runs[place].error or 0.0))

    def _y(self, error: float) -> float:
        area = self._area()
        return area.center().y() - error / self._span() * area.height() / 2

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        painter.fillRect(self.rect(), theme.current().color("base"))
        self._paint_ground(painter)
        self._paint_dates(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place, run in enumerate(self._runs):
            self._paint_mark(painter, self._point(place), run)
        place = self._place_of_selected()
        if place >= 0:
            painter.setPen(QPen(theme.current().color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(self._point(place), _DOT + 4, _DOT + 4)
        painter.end()

    def _paint_ground(self, painter: QPainter) -> None:
        colors, area, span = theme.current(), self._area(), self._span()
        band = QRectF(
            area.left(), self._y(CAUTION), area.width(), self._y(-CAUTION) - self._y(CAUTION)
        )
        painter.fillRect(band, colors.color("hover"))
        font = fonts.font("axis")
        painter.setFont(font)
        step = ticks.step_of(
            2 * span, max(4, int(area.height() / (1.9 * QFontMetricsF(font).height())))
        )
        last = int(span / step + 1e-9)
        digits = 0 if 100 * step >= 1 else 1
        for number in range(-last, last + 1):
            y = round(self._y(number * step))
            ink = "border" if number == 0 else "hairline"
            painter.fillRect(QRectF(area.left(), y, area.width(), 1), colors.color(ink))
            sign = MINUS if number < 0 else "+" if number else ""
            words = f"{sign}{abs(100 * number * step):.{digits}f} %"
            painter.setPen(colors.color("text3"))
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - 10, area.left() - 8, 20), int(flags), words)

    def _paint_dates(self, painter: QPainter) -> None:
        """The day below the first run of each, where there is room."""
        colors, area, font = theme.current(), self._area(), fonts.font("axis")
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        painter.setPen(colors.color("text3"))
        free, before = area.left(), ""
        for place, run in enumerate(self._runs):
            day = past_runs.when(run).partition(" ")[0]
            x, width = self._point(place).x(), metrics.horizontalAdvance(day)
            left = max(area.left(), min(x - width / 2, area.right() - width))
            if day != before and left >= free:
                painter.fillRect(QRectF(x, area.bottom(), 1, 4), colors.color("border"))
                row = QRectF(left, area.bottom() + 5, width + 2, fonts.scaled(_FOOT) - 6)
                painter.drawText(row, int(Qt.AlignmentFlag.AlignVCenter), day)
                free = left + width + 16
            before = day

    @staticmethod
    def _paint_mark(painter: QPainter, at: QPointF, run: KeptRun) -> None:
        """A dot; a triangle from 3 % on, up for too much; a cross where a run was cut short."""
        colors = theme.current()
        if not run.whole:
            painter.setPen(QPen(colors.color("text3"), 1.5))
            for rise in (-_DOT, _DOT):
                painter.drawLine(at + QPointF(-_DOT, -rise), at + QPointF(_DOT, rise))
            return
        large = past_runs.is_large(run)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.color("caution" if large else "text"))
        if large:
            side = _DOT + 1.5
            up = 1 if (run.error or 0) > 0 else -1
            foot = up * side * 0.8
            corners = (QPointF(0, -up * side), QPointF(side, foot), QPointF(-side, foot))
            painter.drawPolygon(QPolygonF([at + corner for corner in corners]))
        else:
            painter.drawEllipse(at, _DOT, _DOT)

    # Pointing

    def _place_of_selected(self) -> int:
        return next((at for at, run in enumerate(self._runs) if run.id == self._selected), -1)

    def nearest(self, at: QPointF) -> KeptRun | None:
        """The run whose mark is meant by a place of the widget; None where there is none near."""
        if not self._runs:
            return None
        area = self._area()
        rough = (at.x() - area.left()) / area.width() * len(self._runs) - 0.5
        reach = ceil(_NEAR * len(self._runs) / area.width()) + 1
        near = range(max(0, int(rough) - reach), min(len(self._runs), int(rough) + reach + 2))
        away = [((self._point(place) - at).manhattanLength(), place) for place in near]
        distance, place = min(away, default=(_NEAR + 1, 0))
        return self._runs[place] if distance <= _NEAR else None

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            run = self.nearest(QPointF(event.pos()))
            QToolTip.showText(
                event.globalPos(), "" if run is None else said(past_runs.row(run)), self
            )
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        run = self.nearest(event.position())
        if run is not None:
            self.selected.emit(run.id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        now, last = self._place_of_selected(), len(self._runs) - 1
        step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        match event.key():
            case Qt.Key.Key_Right | Qt.Key.Key_Down:
                self._go_to(min(now + step, last))
            case Qt.Key.Key_Left | Qt.Key.Key_Up:
                self._go_to(last if now < 0 else max(now - step, 0))
            case Qt.Key.Key_Home:
                self._go_to(0)
            case Qt.Key.Key_End:
                self._go_to(last)
            case _:
                super().keyPressEvent(event)

    def _go_to(self, place: int) -> None:
        if 0 <= place < len(self._runs):
            self.selected.emit(self._runs[place].id)
