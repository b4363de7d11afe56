"""The budget bar: what a plan takes at its peak, against the device's memory."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from memplanner.messages.estimate import Estimate
from memplanner_ui.language import translate
from memplanner_ui.look import hatch, motion, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views import budget_legend, ticks
from memplanner_ui.views.budget_frame import (
    Frame,
    Said,
    between,
    frame_of,
    peak_font,
    room_for,
    said_of,
)
from memplanner_ui.views.budget_words import (
    description,
    free_tip,
    margin_tip,
    part_tip,
)
from memplanner_ui.views.parts import PARTS, Budget, budget, title_of

HEIGHT = 98
LABEL_WIDTH = 120
"""A segment wider than this carries its name, too."""
MARGIN, FREE = "margin", "free"
"""What can be pointed at beside the parts."""
_SIDE = 16.0
_RIGHT = 72.0  # room for the card's label and a whisker past the end
_BAR_TOP, _BAR_HEIGHT = 24.0, 24.0
_PEAK_Y, _DOT_Y, _AXIS_Y, _LEGEND_Y = 9.0, 18.0, 58.0, 81.0


class BudgetBar(QWidget):
    """The categories of an estimate in one bar; the device's memory is a line in it.

    What is over the line is drawn past it, hatched. Empty while there is no estimate.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._budget: Budget | None = None
        self._start: Frame | None = None
        self._now: Frame | None = None
        self._words: Said | None = None
        self._area = QRectF()
        self._grown = 1.0
        """How much higher all is than at 100 % text."""
        self._measure()
        self._animation = motion.run_to_end(self)
        self._animation.valueChanged.connect(self._advance)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Views", "Memory budget"))
        self.setAccessibleDescription(translate("Views", "No estimate yet"))
        theme.current().changed.connect(self._say_again)

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows ``estimate``; the bar runs from what it showed to the new values."""
        self._animation.stop()
        self._words = None
        if estimate is None:
            self._budget = self._start = self._now = None
            self.setAccessibleDescription(translate("Views", "No estimate yet"))
            self.update()
            return
        self._budget = budget(estimate)
        self.setAccessibleDescription(description(self._budget))
        end = frame_of(self._budget)
        if self._now is None or motion.reduced() or not self.isVisible():
            self._now = end
            self.update()
        else:
            if self._now != end:
                self._start = self._now
                self._animation.start()
            self.update()

    def _advance(self, share: float) -> None:
        if self._start is not None and self._budget is not None:
            self._now = between(self._start, frame_of(self._budget), share)
            self.update(QRect(0, 0, self.width(), self._legend_top()))  # it does not move

    def _say_again(self) -> None:
        self._words = None
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Measures its texts anew in another font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._say_again()

    def sizeHint(self) -> QSize:
        return QSize(900, fonts.scaled(HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(420, fonts.scaled(HEIGHT))

    # Geometry

    def _measure(self) -> None:
        """Where things are now; asked once for all that is painted then."""
        self._grown = grown = fonts.scaled(HEIGHT) / HEIGHT
        width = max(1.0, self.width() - _SIDE - _RIGHT)
        self._area = QRectF(_SIDE, _BAR_TOP * grown, width, _BAR_HEIGHT * grown)

    def _bar(self) -> QRectF:
        return self._area

    def _y(self, y: float) -> float:
        return y * self._grown

    def _legend_top(self) -> int:
        return int(self._y(_LEGEND_Y)) - 8

    def _x(self, frame: Frame, value: float) -> float:
        return _SIDE + value / frame.full * self._area.width()

    def _segments(self, frame: Frame) -> list[tuple[int, QRectF]]:
        """Index into ``PARTS`` and area of each part that has any width."""
        bar, passed, result = self._bar(), 0.0, []
        scale = self.devicePixelRatioF()
        for index, value in enumerate(frame.parts):
            left = round(self._x(frame, passed) * scale) / scale
            passed += value
            right = round(self._x(frame, passed) * scale) / scale
            if right > left:
                result.append((index, QRectF(left, bar.top(), right - left, bar.height())))
        return result

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self._measure()
        painter = plot_painter(self)
        painter.fillRect(self.rect(), theme.current().color("panel"))
        if self._budget is None or self._now is None:
            painter.setFont(fonts.font("body"))
            painter.setPen(theme.current().color("text3"))
            area = QRectF(self.rect()).adjusted(_SIDE, 0, 0, 0)
            middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
            painter.drawText(
                area, middle, translate("Views", "The budget of a plan is shown here.")
            )
        else:
            said = self._words = self._words or said_of(self._budget)
            self._paint_bar(painter, said, self._now)
            self._paint_axis(painter, said, self._now)
            self._paint_peak(painter, said, self._now)
            if event.rect().bottom() >= self._legend_top():
                self._paint_legend(painter, self._budget, said)
        painter.end()

    def _paint_bar(self, painter: QPainter, said: Said, frame: Frame) -> None:
        colors, bar = theme.current(), self._bar()
        if frame.capacity > frame.peak:
            left, right = self._x(frame, frame.peak), self._x(frame, frame.capacity)
            free = QRectF(left, bar.top(), right - left, bar.height())
            painter.fillRect(free, colors.color("free"))
            painter.setPen(QPen(colors.color("border"), 1))
            painter.drawRect(free.adjusted(0.5, 0.5, -0.5, -0.5))
        line = QColor(colors.color("on_other"))
        line.setAlphaF(0.45)
        segments = self._segments(frame)
        for place, (index, area) in enumerate(segments):
            gap = 1.0 if place + 1 < len(segments) and area.width() > 3 else 0.0
            segment = area.adjusted(0, 0, -gap, 0)
            if PARTS[index] == "other":
                hatch.fill(painter, segment, colors.color("other"), line)
            else:
                painter.fillRect(segment, colors.color(PARTS[index]))
            if colors.outline is not None:
                painter.setPen(QPen(colors.outline, 1))
                painter.drawRect(segment.adjusted(0.5, 0.5, -0.5, -0.5))
        if frame.capacity and frame.peak > frame.capacity:
            self._paint_overflow(painter, frame, segments)
        self._paint_labels(painter, said, frame, segments)
        if frame.capacity:
            x = round(self._x(frame, frame.capacity))
            limit = QRectF(x - 1, bar.top() - 3, 2, bar.height() + 8)
            painter.fillRect(limit, colors.color("trouble"))

    def _paint_overflow(
        self, painter: QPainter, frame: Frame, segments: list[tuple[int, QRectF]]
    ) -> None:
        """What is past the capacity: its own colour toned down, under a hatch of trouble."""
        colors, bar = theme.current(), self._bar()
        limit = self._x(frame, frame.capacity)
        over = QRectF(limit, bar.top(), bar.right() - limit, bar.height())
        for index, area in segments:
            past = area.intersected(over)
            if past.width() > 0:
                ground = _mix(colors.color(PARTS[index]), colors.color("base"), 0.55)
                hatch.fill(painter, past, ground, colors.color("trouble"), 1.6)

    def _paint_labels(
        self,
        painter: QPainter,
        said: Said,
        frame: Frame,
        segments: list[tuple[int, QRectF]],
    ) -> None:
        colors = theme.current()
        title_font, number_font = fonts.font("body"), fonts.semibold("body")
        limit = self._x(frame, frame.capacity) if frame.capacity else self.width()
        for index, area in segments:
            name = PARTS[index]
            area = area.intersected(QRectF(0, area.top(), limit, area.height()))
            number, width = said.numbers[index], said.widths[index]
            painter.setPen(colors.color(f"on_{name}"))
            middle = Qt.AlignmentFlag.AlignVCenter
            if area.width() > fonts.scaled(LABEL_WIDTH):
                inner = area.adjusted(8, 0, -8, 0)
                _draw(
                    painter, title_font, inner, middle | Qt.AlignmentFlag.AlignLeft, title_of(name)
                )
                _draw(painter, number_font, inner, middle | Qt.AlignmentFlag.AlignRight, number)
            elif area.width() > room_for(width):
                ground = None if name != "other" else colors.color("other")
                center = QRectF(area.center().x() - width / 2 - 3, area.top() + 4, width + 6, 0)
                if ground is not None:
                    painter.fillRect(center.adjusted(0, 0, 0, area.height() - 8), ground)
                _draw(painter, number_font, area, Qt.AlignmentFlag.AlignCenter, number)

    def _paint_axis(self, painter: QPainter, said: Said, frame: Frame) -> None:
        colors, bar = theme.current(), self._bar()
        axis_font, strong = fonts.font("axis"), fonts.semibold("axis")
        metrics = QFontMetricsF(axis_font)
        row = QRectF(0, self._y(_AXIS_Y) - 8, self.width(), 16)
        taken = QRectF()
        if said.capacity:
            width = said.capacity_width
            x = self._x(frame, frame.capacity)
            right_most = self.width() - 4.0
            left = x - width if frame.peak <= frame.capacity else x - width / 2
            left = min(max(2.0, left), right_most - width)
            taken = QRectF(left, row.top(), width, row.height())
            painter.setPen(colors.color("text"))
            _draw(painter, strong, taken, Qt.AlignmentFlag.AlignCenter, said.capacity)
        painter.setPen(colors.color("text3"))
        for value, label in ticks.sizes(frame.full, max(2, int(bar.width() / 90))):
            x = self._x(frame, value)
            painter.fillRect(QRectF(round(x), bar.bottom(), 1, 4), colors.color("border"))
            width = metrics.horizontalAdvance(label)
            area = QRectF(x - width / 2, row.top(), width, row.height())
            if not taken.adjusted(-6, 0, 6, 0).intersects(area):
                _draw(painter, axis_font, area, Qt.AlignmentFlag.AlignCenter, label)

    def _paint_peak(self, painter: QPainter, said: Said, frame: Frame) -> None:
        colors = theme.current()
        x = self._x(frame, frame.peak)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.color("text"))
        middle = self._y(_DOT_Y)
        painter.drawEllipse(QPointF(x, middle), 2.6, 2.6)
        painter.restore()
        left, right = self._x(frame, frame.low), self._x(frame, frame.high)
        right = min(right, self.width() - 4.0)
        if right - left > 2:
            ink = colors.color("text")
            painter.fillRect(QRectF(left, middle - 0.5, right - left, 1.2), ink)
            for end in (left, right):
                painter.fillRect(QRectF(end - 0.6, middle - 3, 1.2, 6), ink)
        width = said.peak_width
        left = min(max(2.0, x - width / 2), self.width() - width - 4)
        area = QRectF(left, self._y(_PEAK_Y) - 8, width, 16)
        painter.setPen(colors.color("text"))
        _draw(painter, peak_font(), area, Qt.AlignmentFlag.AlignCenter, said.peak)

    def _paint_legend(self, painter: QPainter, budget: Budget, said: Said) -> None:
        in_bar = {
            PARTS[index]
            for index, area in self._segments(frame_of(budget))
            if area.width() > room_for(said.widths[index])
        }
        row = QRectF(_SIDE, self._legend_top(), self.width() - _SIDE, 16)
        budget_legend.paint(painter, budget, row, in_bar)

    # Tool tips

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            text = self.tip_at(event.pos().x(), event.pos().y())
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def tip_at(self, x: float, y: float | None = None) -> str:
        """The tool tip at ``x``: the part there, to the byte; above the bar the margin's.

        Empty outside the bar.
        """
        part = self.part_at(x, y)
        if self._budget is None or not part:
            return ""
        if part == MARGIN:
            return margin_tip(self._budget)
        return free_tip(self._budget) if part == FREE else part_tip(self._budget, PARTS.index(part))

    def part_at(self, x: float, y: float | None = None) -> str:
        """Which of ``PARTS`` is at ``x``, ``FREE``, or above the bar ``MARGIN``; else empty."""
        if self._budget is None or self._now is None:
            return ""
        self._measure()
        if y is not None and y < self._bar().top() and self._budget.margin_bytes is not None:
            return MARGIN
        for index, area in self._segments(self._now):
            if area.left() <= x < area.right():
                return PARTS[index]
        inside = self._bar().left() <= x <= self._x(self._now, self._now.capacity)
        return FREE if inside else ""


def _draw(painter: QPainter, font: QFont, area: QRectF, flags: Qt.AlignmentFlag, text: str) -> None:
    painter.setFont(font)
    painter.drawText(area, int(flags) | int(Qt.TextFlag.TextDontClip), text)


def _mix(a: QColor, b: QColor, share: float) -> QColor:
    def channel(x: int, y: int) -> int:
        return round(x + (y - x) * share)

    return QColor(
        channel(a.red(), b.red()), channel(a.green(), b.green()), channel(a.blue(), b.blue())
    )
