"""The blocks of the model in the stages of a pipeline, with boundaries that can be moved."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter

_BAR_TOP, _BAR_HEIGHT = 36, 24
_HANDLE_WIDTH = 24
"""A target is 24 px at least; what is painted of it is narrower."""
_END_WIDTH = 18
"""What comes before the blocks, and after them."""


class Boundary(QAbstractSlider):
    """Between two stages: its value is the first block of the later one."""

    def __init__(self, bar: StageBar, place: int) -> None:
        super().__init__(bar)
        self._bar = bar
        self._place = place
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setSingleStep(1)
        self.setPageStep(10)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setTracking(True)

    def show_value(self, least: int, most: int, value: int, words: str) -> None:
        """Shows where it stands, and how far it may go."""
        blocked = self.blockSignals(True)
        self.setRange(least, most)
        self.setValue(value)
        self.blockSignals(blocked)
        self.setAccessibleName(
            translate("Views", "Boundary of stages {stage} and {next}").format(
                stage=self._place, next=self._place + 1
            )
        )
        self.setAccessibleDescription(words)
        self.setToolTip(
            translate(
                "Views", "{words}. Drag it, or use the arrow keys; by ten with Shift."
            ).format(words=words)
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.setSliderDown(True)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setValue(self._bar.block_at(self.mapToParent(event.position()).x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is not None and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.setValue(self.value() + step * self.pageStep())
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._bar.gesture_ended.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = plot_painter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = colors.color("accent" if self.hasFocus() or self.isSliderDown() else "text")
        middle = self.width() / 2
        painter.fillRect(QRectF(middle - 1, 0, 2, self.height()), ink)
        painter.setBrush(ink)
        painter.setPen(Qt.PenStyle.NoPen)
        height = self.height() - 20
        painter.drawRoundedRect(QRectF(middle - 4, 10, 8, height), 3, 3)
        painter.end()


class StageBar(QWidget):
    """One row of blocks; a stage's blocks share a ground, and boundaries stand between them."""

    moved = Signal(tuple)
    """How many blocks each stage is to get."""
    gesture_ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: tuple[int, ...] = ()
        self._words: tuple[str, ...] = ()
        self._current = True
        self.boundaries: list[Boundary] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Views", "Stages of the pipeline"))
        theme.current().changed.connect(self.update)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many blocks each stage has."""
        return self._counts

    def sizeHint(self) -> QSize:
        return QSize(300, fonts.scaled(_BAR_TOP + _BAR_HEIGHT + 12))

    def show_stages(
        self, counts: Sequence[int], words: Sequence[str], *, current: bool = True
    ) -> None:
        """Shows ``counts`` blocks a stage, with ``words`` on each; dimmed if not ``current``."""
        self._counts, self._words, self._current = tuple(counts), tuple(words), current
        needed = max(len(self._counts) - 1, 0)
        while len(self.boundaries) > needed:
            gone = self.boundaries.pop()
            gone.hide()
            gone.deleteLater()
        while len(self.boundaries) < needed:
            boundary = Boundary(self, len(self.boundaries))
            place = len(self.boundaries)
            boundary.valueChanged.connect(lambda value, at=place: self._move(at, value))
            boundary.sliderReleased.connect(self.gesture_ended)
            boundary.show()
            self.boundaries.append(boundary)
        self._show_boundaries()
        spoken = "; ".join(
            translate("Views", "stage {stage}: {text}").format(stage=stage, text=text)
            for stage, text in enumerate(self._words)
        )
        self.setAccessibleDescription(spoken)
        self.setToolTip(spoken.replace("; ", "\n"))
        self.update()

    def _show_boundaries(self) -> None:
        start = 0
        for place, boundary in enumerate(self.boundaries):
            first = start
            start += self._counts[place]
            most = start + self._counts[place + 1] - 1
            words = translate(
                "Views",
                "Stage {stage} ends with block {end}, stage {next} begins with block {start}",
            ).format(stage=place, end=start - 1, next=place + 1, start=start)
            boundary.show_value(first + 1, most, start, words)
        self._place()

    def _move(self, place: int, value: int) -> None:
        counts = list(self._counts)
        start = sum(counts[:place])
        both = counts[place] + counts[place + 1]
        first = value - start
        if not 1 <= first < both or first == counts[place]:
            return
        counts[place], counts[place + 1] = first, both - first
        self._counts, self._current = tuple(counts), False
        self._show_boundaries()
        self.update()
        self.moved.emit(self._counts)

    # Geometry

    def _area(self) -> QRectF:
        left = float(_END_WIDTH + 2)
        top = float(fonts.scaled(_BAR_TOP))
        return QRectF(left, top, max(1.0, self.width() - 2 * left), fonts.scaled(_BAR_HEIGHT))

    def x_of(self, block: int) -> float:
        """Where a block begins."""
        area = self._area()
        return area.left() + area.width() * block / max(sum(self._counts), 1)

    def block_at(self, x: float) -> int:
        """The block that begins nearest to ``x``."""
        area = self._area()
        return round((x - area.left()) / area.width() * sum(self._counts))

    def _place(self) -> None:
        area = self._area()
        for boundary in self.boundaries:
            left = round(self.x_of(boundary.value()) - _HANDLE_WIDTH / 2)
            boundary.setGeometry(
                left, round(area.top()) - 8, _HANDLE_WIDTH, round(area.height()) + 16
            )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._counts:
            return
        colors = theme.current()
        painter = plot_painter(self)
        area, start = self._area(), 0
        for stage, count in enumerate(self._counts):
            left, right = self.x_of(start), self.x_of(start + count)
            self._paint_stage(painter, QRectF(left, area.top(), right - left, area.height()),
                              stage, start)  # fmt: skip
            start += count
        painter.setPen(QPen(colors.color("border"), 1))
        painter.setBrush(colors.color("hover"))
        painter.setFont(fonts.font("axis"))
        for left, letter in ((0.5, "e"), (self.width() - _END_WIDTH - 0.5, "h")):
            end = QRectF(left, area.top(), _END_WIDTH, area.height())
            painter.setPen(QPen(colors.color("border"), 1))
            painter.drawRect(end)
            painter.setPen(colors.color("text2"))
            painter.drawText(end, Qt.AlignmentFlag.AlignCenter, letter)
        painter.end()

    def _paint_stage(self, painter: QPainter, area: QRectF, stage: int, start: int) -> None:
        colors = theme.current()
        ground = QColor(colors.color("accent"))
        ground.setAlphaF(0.14 if stage % 2 == 0 else 0.32)
        painter.fillRect(area, ground)
        count = self._counts[stage]
        if area.width() / count >= 4:
            painter.setPen(QPen(colors.color("base"), 1))
            for block in range(1, count):
                x = round(self.x_of(start + block)) + 0.5
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setFont(fonts.font("axis"))
        end = start + count - 1
        title = translate("Views", "stage {stage}: block {start}")
        if count > 1:
            title = translate("Views", "stage {stage}: {start} to {end}")
        title = title.format(stage=stage, start=start, end=end)
        words = self._words[stage] if stage < len(self._words) else ""
        metrics = painter.fontMetrics()
        line = metrics.height()
        for place, (text, ink) in enumerate(
            ((title, "text"), (words, "text2" if self._current else "text3"))
        ):
            box = QRectF(area.left() + 2, 2 + place * line, area.width() - 4, line)
            painter.setPen(colors.color(ink))
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)
