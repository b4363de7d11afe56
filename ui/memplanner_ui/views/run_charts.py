"""The small charts of a run: its loss, and the peak of each step."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views.budget_words import capacity_words

_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_ROW = 15.0


def loss_words(loss: float) -> str:
    """A loss in two decimals; one that is no number or infinite in a word."""
    if isfinite(loss):
        return f"{loss:.2f}"
    return translate("Views", "not a number") if isnan(loss) else translate("Views", "infinite")


class _Chart(QWidget):
    def __init__(self, name: str, height: int) -> None:
        super().__init__()
        self._height = height
        self.steps = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(200, fonts.scaled(self._height))

    def _x(self, place: int, width: float) -> float:
        """The x of step ``place`` (from 0), with room for a dot at both ends."""
        return 4 + (place + 0.5) / max(1, self.steps) * (width - 8)


class LossChart(_Chart):
    """The loss of each step so far, on an axis of all steps; where it is no number, a mark."""

    def __init__(self) -> None:
        super().__init__(translate("Views", "Loss"), 84)
        self._losses: list[float] = []

    def set_losses(self, losses: Sequence[float], steps: int) -> None:
        """Shows the losses of a run of ``steps``."""
        self._losses, self.steps = list(losses), max(1, steps)
        words = translate("Views", "none yet")
        if losses:
            first, last = loss_words(losses[0]), loss_words(losses[-1])
            words = translate("Views", "from {first} to {last} in {count} steps").format(
                first=first, last=last, count=len(losses)
            )
        self.setAccessibleDescription(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = plot_painter(self), theme.current()
        painter.setFont(fonts.font("axis"))
        area = QRectF(self.rect()).adjusted(0, 6, -34, -_ROW - 2)
        painter.setPen(QPen(colors.color("hairline"), 1))
        for y in (area.top(), area.bottom()):
            painter.drawLine(QPointF(0, round(y) + 0.5), QPointF(self.width(), round(y) + 0.5))
        foot = QRectF(0, self.height() - _ROW, self.width(), _ROW)
        painter.setPen(colors.color("text2"))
        painter.drawText(foot, _LEFT, translate("Views", "step {step}").format(step=1))
        painter.drawText(foot, _RIGHT, translate("Views", "step {step}").format(step=self.steps))
        known = [loss for loss in self._losses if isfinite(loss)]
        if known:
            low, high = min(known), max(known)
            span = (high - low) or max(abs(high), 1e-9)
            right = QRectF(0, 0, self.width(), _ROW)
            painter.drawText(right.translated(0, area.top() + 2), _RIGHT, f"{high:.2f}")
            if high > low:
                painter.drawText(
                    right.translated(0, area.bottom() - _ROW - 1), _RIGHT, f"{low:.2f}"
                )
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            inner = area.adjusted(0, 5, 0, -5)
            points = [
                QPointF(
                    self._x(i, area.width()), inner.bottom() - (v - low) / span * inner.height()
                )
                for i, v in enumerate(self._losses)
                if isfinite(v)
            ]
            painter.setPen(QPen(colors.color("text"), 1.4))
            painter.drawPolyline(QPolygonF(points))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colors.color("text"))
            painter.drawEllipse(points[-1], 3, 3)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for place, loss in enumerate(self._losses):
            if not isfinite(loss):
                x = round(self._x(place, area.width()))
                line = QRectF(x, area.top() + 1, 1, area.height() - 1)
                painter.fillRect(line, colors.color("trouble"))
        painter.end()


class PeakChart(_Chart):
    """The allocated peak of each step as a dot, under the card's line, beside the prediction."""

    def __init__(self) -> None:
        super().__init__(translate("Views", "Peak of each step"), 74)
        self._peaks: list[int] = []
        self._predicted = 0
        self._capacity: int | None = None
        self._on_cpu = False

    def set_limits(self, predicted_bytes: int, capacity_bytes: int | None, on_cpu: bool) -> None:
        """What peaks are held against."""
        self._predicted, self._capacity, self._on_cpu = predicted_bytes, capacity_bytes, on_cpu
        self.update()

    def set_peaks(self, peaks: Sequence[int], steps: int) -> None:
        """Shows the peaks of a run of ``steps``."""
        self._peaks, self.steps = list(peaks), max(1, steps)
        words = translate("Views", "predicted {predicted}").format(
            predicted=format_bytes(self._predicted)
        )
        if peaks:
            words += translate("Views", ", last step {last}, highest {highest}").format(
                last=format_bytes(peaks[-1]), highest=format_bytes(max(peaks))
            )
        self.setAccessibleDescription(words)
        self.setToolTip(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = plot_painter(self), theme.current()
        painter.setFont(fonts.font("axis"))
        area = QRectF(self.rect()).adjusted(0, _ROW + 4, 0, -_ROW - 4)
        values = [*self._peaks, self._predicted]
        shown_capacity = (
            self._capacity if self._capacity and max(values) > self._capacity / 2 else None
        )
        high = float(max([*values, shown_capacity or 0]))
        low = float(min(values))
        low = low - 0.15 * (high - low) if high > low else 0.9 * low
        span = max(high - low, 1)

        def y(value: float) -> float:
            return area.bottom() - (value - low) / span * area.height()

        if shown_capacity:
            top = round(y(shown_capacity))
            painter.fillRect(QRectF(0, top - 1, self.width(), 2), colors.color("trouble"))
            words = capacity_words(shown_capacity, on_cpu=self._on_cpu)
            painter.setPen(colors.color("text2"))
            painter.drawText(QRectF(0, top - _ROW - 3, self.width(), _ROW), _RIGHT, words)
        if not self._predicted:
            painter.end()
            return
        line = round(y(self._predicted))
        painter.fillRect(QRectF(0, line, self.width(), 1), colors.color("text3"))
        painter.setPen(colors.color("text2"))
        words = translate("Views", "predicted {predicted}").format(
            predicted=format_bytes(self._predicted)
        )
        foot = QRectF(0, self.height() - _ROW, self.width(), _ROW)
        painter.drawText(foot, _RIGHT, words)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.color("accent"))
        radius = 2.6 if self.steps <= 80 else 1.6
        for place, peak in enumerate(self._peaks):
            painter.drawEllipse(QPointF(self._x(place, self.width()), y(peak)), radius, radius)
        painter.end()
