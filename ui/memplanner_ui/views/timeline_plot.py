"""The timeline's plot: one step as stacked areas, zoomed and read with mouse or keys."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent, QPixmap, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views import timeline_areas as areas
from memplanner_ui.views import timeline_marks as marks
from memplanner_ui.views.timeline_data import Floats, Ints, Step, Stretch, columns
from memplanner_ui.views.timeline_scale import Scale

_LEFT, _SIDE, _FOOT = 48, 14, 24
_STEP = 0.8
"""One notch of the wheel shows this share of what was shown."""
_LEAST = 12.0
"""Events that are shown at least."""
_DRAG = 5


class TimelinePlot(QWidget):
    """Shows a ``Step``; emits the point that is read and the range that is shown."""

    read = Signal(int, bool)
    """The point read out, and whether the user chose it (else it is the peak)."""
    range_changed = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._step: Step | None = None
        self._measured: list[tuple[Floats, Floats]] = []
        self._bounds = (0.0, 1.0)
        self._range = (0.0, 1.0)
        self._cursor: int | None = None
        self._pinned: int | None = None
        self._drag: tuple[float, float] | None = None
        self._under: Stretch | None = None
        self._columns: tuple[Floats, Ints] | None = None
        self._drawn: QPixmap | None = None
        self.predicted_bytes: int | None = None
        """A predicted peak to draw as a line, where the step itself is no prediction."""
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(translate("Views", "Timeline of one step"))
        theme.current().changed.connect(self._redraw)

    def sizeHint(self) -> QSize:
        return QSize(700, 360)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 140)

    # What is shown

    @property
    def shown(self) -> tuple[float, float]:
        """The first and last event in sight."""
        return self._range

    @property
    def zoomed(self) -> bool:
        """Whether less than the whole step is in sight."""
        return self._step is not None and self._range != (0.0, float(self._step.events))

    def show_step(
        self,
        step: Step | None,
        measured: list[tuple[Floats, Floats]],
        bounds: tuple[float, float],
    ) -> None:
        """Shows ``step`` in ``bounds`` of bytes; the range in sight stays, as a share of it."""
        old = self._step
        self._step, self._measured, self._bounds = step, measured, bounds
        if step is None:
            self._cursor = self._pinned = None
        else:
            scale = step.events / old.events if old is not None and old.events else 0.0
            whole = not self._was_zoomed(old) or not scale
            left, right = (0.0, 1.0) if whole else self._range
            self._range = (
                (0.0, float(step.events)) if whole else self._fitted(left * scale, right * scale)
            )
            if self._pinned is not None and old is not None:
                event = float(old.at[min(self._pinned, len(old.at) - 1)]) * scale
                self._pinned = step.point_at(event)
            self._read(self._pinned)
            self.range_changed.emit(*self._range)
        self._redraw()

    def _was_zoomed(self, old: Step | None) -> bool:
        return old is not None and self._range != (0.0, float(old.events))

    def set_range(self, left: float, right: float) -> None:
        """Shows the events from ``left`` to ``right``."""
        fitted = self._fitted(left, right)
        if fitted != self._range:
            self._range = fitted
            self.range_changed.emit(*fitted)
            self._redraw()

    def reset_range(self) -> None:
        """Shows the whole step."""
        if self._step is not None:
            self.set_range(0.0, float(self._step.events))

    def go_to(self, point: int | None) -> None:
        """Reads a point out until another is chosen, and brings it in sight; None: the peak."""
        if self._step is None:
            return
        self._pinned = point
        event = float(self._step.at[self._step.peak if point is None else point])
        left, right = self._range
        if not left <= event <= right:
            half = (right - left) / 2
            self.set_range(event - half, event + half)
        self._read(point)

    def _fitted(self, left: float, right: float) -> tuple[float, float]:
        events = 1.0 if self._step is None else float(self._step.events)
        span = min(events, max(right - left, _LEAST))
        left = max(0.0, min(left, events - span))
        return left, left + span

    def _read(self, point: int | None) -> None:
        if self._step is None:
            return
        self._cursor = point
        self.read.emit(self._step.peak if point is None else point, point is not None)
        self.update()

    # Painting

    def _scale(self) -> Scale:
        rows = 2 if self._step is not None and self._step.micro_batches else 1
        top = rows * fonts.scaled(marks.BAND_HEIGHT) + 4
        left, foot = fonts.scaled(_LEFT), fonts.scaled(_FOOT)
        width = max(1, self.width() - left - _SIDE)
        area = QRectF(left, top, width, max(1, self.height() - top - foot))
        return Scale(area, *self._range, *self._bounds)

    def _redraw(self) -> None:
        self._drawn = self._columns = None
        self.update()

    def resizeEvent(self, event: object) -> None:
        self._redraw()

    def _in_sight(self, scale: Scale) -> tuple[Floats, Ints]:
        if self._columns is None and self._step is not None:
            pixels = max(1, int(scale.area.width() * self.devicePixelRatioF()))
            self._columns = columns(self._step, scale.left, scale.right, pixels)
        assert self._columns is not None
        return self._columns

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        if self._step is None:
            painter.fillRect(self.rect(), theme.current().color("base"))
            painter.end()
            return
        ratio = self.devicePixelRatioF()
        if self._drawn is None or self._drawn.devicePixelRatio() != ratio:
            self._drawn = QPixmap(self.size() * ratio)
            self._drawn.setDevicePixelRatio(ratio)
            self._draw(self._drawn, self._step)
        painter.drawPixmap(0, 0, self._drawn)
        scale = self._scale()
        if self._under is not None:
            bands = marks.band_areas(self._step, scale, 0.0)
            marks.paint_bands(painter, [b for b in bands if b[0] is self._under], self._under)
        if self._cursor is not None:
            marks.paint_cursor(painter, float(self._step.at[self._cursor]), scale)
        painter.setClipRect(scale.area.adjusted(-6, 0, 6, 0))
        marks.paint_peak(painter, self._step.peak_moment, scale)
        if self._drag is not None:
            marks.paint_selection(painter, *self._drag, scale.area)
        painter.end()

    def _draw(self, pixmap: QPixmap, step: Step) -> None:
        """Everything but what follows the mouse, so that this is drawn once a change."""
        pixmap.fill(theme.current().color("base"))
        scale = self._scale()
        edges, points = self._in_sight(scale)
        pixel = 1 / pixmap.devicePixelRatio()
        painter = plot_painter(pixmap)
        marks.paint_grid(painter, scale)
        areas.paint_beside(painter, step, scale)
        areas.paint(painter, step, scale, edges, points, pixel)
        marks.paint_phase_edges(painter, step, scale)
        marks.paint_events(painter, scale, _SIDE)
        painter.setClipRect(scale.area)
        marks.paint_reserved(painter, step, scale, edges, points)
        marks.paint_measured(painter, self._measured, scale, int(scale.area.width() / pixel))
        if self.predicted_bytes is not None:
            marks.paint_prediction(painter, self.predicted_bytes, scale)
        marks.paint_limit(painter, step, scale)
        painter.setClipping(False)
        marks.paint_bands(painter, marks.band_areas(step, scale, 0.0), None)
        painter.end()

    # Mouse

    def _point_at(self, x: float) -> int:
        """The point painted at ``x``."""
        scale = self._scale()
        edges, points = self._in_sight(scale)
        place = int(edges.searchsorted(scale.event(x), "right")) - 1
        return int(points[max(0, min(len(points) - 1, place))])

    def point_at(self, place: QPoint) -> int | None:
        """The point painted at a place; None outside the plot."""
        inside = self._step is not None and self._scale().area.contains(QPointF(place))
        return self._point_at(place.x()) if inside else None

    def _band_at(self, at: QPoint) -> Stretch | None:
        if self._step is None:
            return None
        bands = marks.band_areas(self._step, self._scale(), 0.0)
        return next((one for one, area in bands if area.contains(at)), None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._step is None:
            return
        at, scale = event.position(), self._scale()
        if self._drag is not None:
            inside = max(scale.area.left(), min(scale.area.right(), at.x()))
            self._drag = (self._drag[0], inside)
        under = self._band_at(at.toPoint())
        if under is not self._under:
            self._under = under
            self.setToolTip(
                ""
                if under is None
                else translate("Views", "{title}: click to zoom in").format(title=under.title)
            )
            shapes = Qt.CursorShape
            self.setCursor(shapes.ArrowCursor if under is None else shapes.PointingHandCursor)
        self._read(self._point_at(at.x()) if scale.area.contains(at) else self._pinned)

    def leaveEvent(self, event: object) -> None:
        self._under = None
        self._read(self._pinned)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._step is None:
            super().mousePressEvent(event)
            return
        band = self._band_at(event.position().toPoint())
        if band is not None:
            self.set_range(band.left, band.right)
        elif self._scale().area.contains(event.position()):
            self._drag = (event.position().x(), event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drag, self._drag = self._drag, None
        if drag is not None:
            start, now = sorted(drag)
            if now - start >= _DRAG:
                scale = self._scale()
                self.set_range(scale.event(start), scale.event(now))
            else:
                self._pinned = self._point_at(now)
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._pinned = None
        self.reset_range()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._step is None:
            return
        turned = event.angleDelta()
        left, right = self._range
        sideways = turned.x() or (
            turned.y() if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0
        )
        if sideways:
            moved = -sideways / 120 * (right - left) / 10
            self.set_range(left + moved, right + moved)
        else:
            self.zoom(_STEP ** (turned.y() / 120), self._scale().event(event.position().x()))
        event.accept()

    def zoom(self, factor: float, around: float) -> None:
        """Shows ``factor`` of what is in sight, with the event ``around`` where it is."""
        left, right = self._range
        span = self._fitted(0.0, (right - left) * factor)[1]
        share = (around - left) / (right - left)
        self.set_range(around - share * span, around + (1 - share) * span)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._step is None:
            super().keyPressEvent(event)
            return
        now = self._step.peak if self._pinned is None else self._pinned
        far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        key = event.key()
        if key in (Qt.Key.Key_Right, Qt.Key.Key_BracketRight):
            self.go_to(min(len(self._step.at) - 1, now + far))
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_BracketLeft):
            self.go_to(max(0, now - far))
        elif key == Qt.Key.Key_P:
            self.go_to(None)
        elif key == Qt.Key.Key_Home:
            self.reset_range()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(_STEP, float(self._step.at[now]))
        elif key == Qt.Key.Key_Minus:
            self.zoom(1 / _STEP, float(self._step.at[now]))
        else:
            super().keyPressEvent(event)
