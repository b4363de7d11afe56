"""What is there at the moment under the cursor, in words and numbers; at first at the peak."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views import swatch
from memplanner_ui.views.parts import lower, plain_number, short_title, shown, title_of
from memplanner_ui.views.timeline_data import STACKED, Moment

_SIDE, _GAP = 16.0, 14.0
_ROW = 20
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter)


def parts_of(moment: Moment) -> list[tuple[str, str]]:
    """The parts with their numbers as printed, those of nothing left out."""
    numbers = shown(moment.parts, moment.total_bytes)
    return [
        (name, plain_number(number, moment.total_bytes))
        for name, number, size in zip(STACKED, numbers, moment.parts, strict=True)
        if size
    ]


def description(moment: Moment, events: int) -> str:
    """A moment in one sentence, the peak said to be it."""
    head = translate("Views", "{title}, {place}, {total} allocated")
    if moment.is_peak:
        head = translate("Views", "Peak: {title}, {place}, {total} allocated")
    head = head.format(
        title=moment.title, place=place(moment, events), total=format_bytes(moment.total_bytes)
    )
    if moment.reserved_bytes is not None:
        head += translate("Views", ", {size} reserved").format(
            size=format_bytes(moment.reserved_bytes)
        )
    numbers = shown(moment.parts, moment.total_bytes)
    parts = [
        f"{lower(title_of(name))} {format_bytes(number)}"
        for name, number, size in zip(STACKED, numbers, moment.parts, strict=True)
        if size
    ]
    return f"{head}: {', '.join(parts)}" if parts else head


def place(moment: Moment, events: int) -> str:
    """Where a moment lies in the step: ``event 3 241 of 7 187``."""
    return translate("Views", "event {event} of {events}").format(
        event=format_count(moment.event), events=format_count(events)
    )


class TimelineReadout(QWidget):
    """Two lines: where and how much, and the parts with their swatches, which is the legend."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._moment: Moment | None = None
        self._events = 0
        self._measured_bytes: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Views", "At the cursor"))
        theme.current().changed.connect(self.update)

    @property
    def text(self) -> str:
        """What is read out, in words."""
        return self.accessibleDescription()

    @property
    def moment(self) -> Moment | None:
        """What is read out."""
        return self._moment

    def show_moment(
        self, moment: Moment | None, events: int, measured_bytes: int | None = None
    ) -> None:
        """Reads ``moment`` out; ``measured_bytes`` is what the last run had there."""
        self._moment, self._events, self._measured_bytes = moment, events, measured_bytes
        said = "" if moment is None else description(moment, events)
        if measured_bytes is not None:
            said += translate("Views", "; measured {size}").format(
                size=format_bytes(measured_bytes)
            )
        self.setAccessibleDescription(said)
        self.setToolTip(said)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, 2 * fonts.scaled(_ROW) + 8)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._moment is None:
            return
        painter = plot_painter(self)
        row = QRectF(_SIDE, 2, self.width() - 2 * _SIDE, fonts.scaled(_ROW))
        self._paint_place(painter, row, self._moment)
        self._paint_parts(painter, row.translated(0, row.height()), self._moment)
        painter.end()

    def _paint_place(self, painter: QPainter, row: QRectF, moment: Moment) -> None:
        colors = theme.current()
        title = (
            translate("Views", "Peak: {title}").format(title=moment.title)
            if moment.is_peak
            else moment.title
        )
        total = translate("Views", "{size} predicted")
        if self._measured_bytes is None:
            total = translate("Views", "{size} allocated")
        words = [
            (total.format(size=format_bytes(moment.total_bytes)), "text", True),
            (title, "text", False),
            (place(moment, self._events), "text2", False),
        ]
        if moment.reserved_bytes is not None:
            words.insert(
                1,
                (
                    translate("Views", "{size} reserved").format(
                        size=format_bytes(moment.reserved_bytes)
                    ),
                    "text2",
                    False,
                ),
            )
        if self._measured_bytes is not None:
            words.insert(
                1,
                (
                    translate("Views", "{size} measured").format(
                        size=format_bytes(self._measured_bytes)
                    ),
                    "accent",
                    True,
                ),
            )
        left = row.left()
        for text, ink, strong in words:
            painter.setFont(fonts.semibold("body") if strong else fonts.font("body"))
            painter.setPen(colors.color(ink))
            metrics = QFontMetricsF(painter.font())
            room = row.right() - left
            if room < 40:
                break
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRectF(left, row.top(), room, row.height()), _MIDDLE, text)
            left += metrics.horizontalAdvance(text) + _GAP

    def _paint_parts(self, painter: QPainter, row: QRectF, moment: Moment) -> None:
        colors, parts = theme.current(), parts_of(moment)
        font, strong = fonts.font("secondary"), fonts.semibold("secondary")
        metrics, numbers = QFontMetricsF(font), QFontMetricsF(strong)

        def width_of(title: str, number: str) -> float:
            words = metrics.horizontalAdvance(title) + numbers.horizontalAdvance(number)
            return swatch.SIZE + 6 + words + 5 + _GAP

        titles = {name: title_of(name) for name, _ in parts}
        if sum(width_of(titles[name], number) for name, number in parts) > row.width() + _GAP:
            titles |= {name: short_title(name) for name, title in titles.items()}
        left = row.left()
        for name, number in parts:
            if left + width_of(titles[name], number) - _GAP > row.right():
                break  # the tool tip has them all
            top = row.center().y() - swatch.SIZE / 2
            swatch.paint(painter, QRectF(left, top, swatch.SIZE, swatch.SIZE), name)
            x = left + swatch.SIZE + 6
            area = QRectF(x, row.top(), row.width(), row.height())
            painter.setFont(font)
            painter.setPen(colors.color("text2"))
            painter.drawText(area, _MIDDLE, titles[name])
            painter.setFont(strong)
            painter.setPen(colors.color("text"))
            x = metrics.horizontalAdvance(titles[name]) + 5
            painter.drawText(area.translated(x, 0), _MIDDLE, number)
            left += width_of(titles[name], number)
