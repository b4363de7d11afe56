"""The whole step in small, with the part that the timeline shows marked and moved."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views.timeline_areas import stairs
from memplanner_ui.views.timeline_data import Step, columns
from memplanner_ui.views.timeline_scale import Scale

_LEFT, _SIDE, _HEIGHT = 48, 14, 38
_EDGE = 6.0


class TimelineOverview(QWidget):
    """Emits ``range_chosen`` while the marked part is moved, or one of its edges."""

    range_chosen = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._step: Step | None = None
        self._bounds = (0.0, 1.0)
        self._range = (0.0, 1.0)
        self._line: tuple[QRectF, QPolygonF] | None = None
        """The step's outline, and the area that it was made for."""
        self._held = ""
        self._last = 0.0
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Views", "Overview of the step"))
        self.setToolTip(translate("Views", "Drag the marked part, or its edges"))
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(300, fonts.scaled(_HEIGHT))

    def show_step(self, step: Step | None, bounds: tuple[float, float]) -> None:
        """Shows ``step`` in ``bounds`` of bytes."""
        self._step, self._bounds, self._line = step, bounds, None
        self.update()

    def set_range(self, left: float, right: float) -> None:
        """Marks the events from ``left`` to ``right``."""
        self._range = (left, right)
        self.update()

    def _scale(self) -> Scale:
        left = fonts.scaled(_LEFT)
        area = QRectF(left, 3, max(1, self.width() - left - _SIDE), self.height() - 6)
        return Scale(area, 0.0, float(self._step.events if self._step else 1), *self._bounds)

    def _marked(self) -> QRectF:
        scale = self._scale()
        left, right = scale.x(self._range[0]), scale.x(self._range[1])
        return QRectF(left, scale.area.top(), right - left, scale.area.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._step is None:
            return
        painter, colors, scale = plot_painter(self), theme.current(), self._scale()
        line = self._outline(self._step, scale)
        ground = QColor(colors.color("text3"))
        ground.setAlphaF(0.3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawPolygon(line)
        painter.setPen(QPen(colors.color("border"), 1))
        for one in self._step.micro_batches:
            x = round(scale.x(float(one.right)))
            painter.drawLine(x, round(scale.area.top()), x, round(scale.area.bottom()))
        capacity = self._step.capacity_bytes
        if capacity is not None and capacity <= scale.top:
            y = round(scale.y(float(capacity)))
            painter.fillRect(
                QRectF(scale.area.left(), y, scale.area.width(), 1), colors.color("trouble")
            )
        accent = QColor(colors.color("accent"))
        marked = self._marked()
        painter.setPen(QPen(accent, 1))
        accent.setAlphaF(0.14)
        painter.setBrush(accent)
        painter.drawRect(marked.adjusted(0.5, 0.5, -0.5, -0.5))
        for edge in (marked.left(), marked.right()):
            handle = QRectF(edge - 2, marked.center().y() - 7, 4, 14)
            painter.fillRect(handle, colors.color("accent"))
        painter.end()

    def _outline(self, step: Step, scale: Scale) -> QPolygonF:
        """Down to the ground on both sides; made once, as marking a part of it leaves it so."""
        if self._line is None or self._line[0] != scale.area:
            edges, points = columns(step, scale.left, scale.right, int(scale.area.width()))
            heights = np.round(scale.y(step.total[points].astype(np.float64)))
            line = stairs(np.round(scale.x(edges)), np.maximum(heights, scale.area.top()))
            line.append(scale.area.bottomRight())
            line.append(scale.area.bottomLeft())
            self._line = (scale.area, line)
        return self._line[1]

    def _part_at(self, at: QPointF) -> str:
        marked = self._marked()
        if abs(at.x() - marked.left()) <= _EDGE:
            return "left"
        if abs(at.x() - marked.right()) <= _EDGE:
            return "right"
        return "inside" if marked.left() < at.x() < marked.right() else ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._step is None:
            return
        at = self._scale().event(event.position().x())
        self._held = self._part_at(event.position()) or "inside"
        self._last = at
        if not self._range[0] <= at <= self._range[1]:
            self._move(at - sum(self._range) / 2)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._step is None:
            return
        part = self._held or self._part_at(event.position())
        shape = Qt.CursorShape.SizeHorCursor if part in ("left", "right") else None
        self.setCursor(shape or Qt.CursorShape.ArrowCursor)
        if not self._held:
            return
        at = self._scale().event(event.position().x())
        left, right = self._range
        if self._held == "inside":
            self._move(at - self._last)
        elif self._held == "left":
            self.range_chosen.emit(min(at, right - 1), right)
        else:
            self.range_chosen.emit(left, max(at, left + 1))
        self._last = at

    def _move(self, by: float) -> None:
        self.range_chosen.emit(self._range[0] + by, self._range[1] + by)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = ""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._step is not None:
            self.range_chosen.emit(0.0, float(self._step.events))
