"""What stands around and over the areas: axes, phases, the limit, what is reserved, the peak."""

from __future__ import annotations

import numpy as np
from pyqtgraph.functions import arrayToQPolygonF
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views import ticks
from memplanner_ui.views.budget_words import capacity_words
from memplanner_ui.views.live_data import decimate
from memplanner_ui.views.timeline_areas import stairs
from memplanner_ui.views.timeline_data import Floats, Ints, Moment, Step, Stretch
from memplanner_ui.views.timeline_scale import Scale

BAND_HEIGHT = 19
_GAP = 1.0
_MIDDLE = Qt.AlignmentFlag.AlignVCenter
_RIGHT = int(_MIDDLE | Qt.AlignmentFlag.AlignRight)
_CENTER = int(Qt.AlignmentFlag.AlignCenter)


def paint_grid(painter: QPainter, scale: Scale) -> None:
    """Hairlines at round sizes, their numbers at the left, the unit above, a break where cut."""
    colors, area = theme.current(), scale.area
    unit, name = ticks.unit_of(scale.top)
    painter.setFont(fonts.font("axis"))
    height = painter.fontMetrics().height()
    count = max(2, int(area.height() / 40))
    for value, text in ticks.sizes(scale.top, count, scale.bottom, unit):
        y = round(scale.y(value))
        painter.fillRect(QRectF(area.left(), y, area.width(), 1), colors.color("hairline"))
        if y > area.top() + 1.5 * height:  # else it would touch the unit
            painter.setPen(colors.color("text2"))
            painter.drawText(QRectF(0, y - height / 2, area.left() - 7, height), _RIGHT, text)
    painter.setPen(colors.color("text2"))
    painter.drawText(QRectF(0, area.top() - 2, area.left() - 7, height), _RIGHT, name)
    if scale.bottom > 0:
        _paint_break(painter, QPointF(area.left(), area.bottom() - 7))


def _paint_break(painter: QPainter, at: QPointF) -> None:
    """Two slanted strokes: the axis does not start at zero."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.current().color("text2"), 1.2))
    for dy in (0.0, 4.0):
        painter.drawLine(at + QPointF(-5, dy + 2), at + QPointF(5, dy - 2))
    painter.restore()


def paint_events(painter: QPainter, scale: Scale, side: float) -> None:
    """The numbers of events below the areas; ``side`` is the room right of them."""
    colors, area = theme.current(), scale.area
    painter.fillRect(QRectF(area.left(), area.bottom(), area.width(), 1), colors.color("border"))
    painter.setFont(fonts.font("axis"))
    painter.setPen(colors.color("text2"))
    metrics = painter.fontMetrics()
    every = max(1, round(ticks.step_of(scale.right - scale.left, max(2, int(area.width() / 90)))))
    for event in range(-int(-scale.left // every) * every, int(scale.right) + 1, every):
        x, text = scale.x(float(event)), format_count(event)
        painter.fillRect(QRectF(round(x), area.bottom(), 1, 4), colors.color("border"))
        width = metrics.horizontalAdvance(text) + 4
        left = min(x - width / 2, area.right() + side - width)
        painter.drawText(QRectF(left, area.bottom() + 5, width, 16), _CENTER, text)


def band_areas(step: Step, scale: Scale, top: float) -> list[tuple[Stretch, QRectF]]:
    """Where each micro-batch and each phase stands above the areas, as far as it is in sight."""
    result, height = [], float(fonts.scaled(BAND_HEIGHT))
    for stretches in (step.micro_batches, step.phases):
        for one in stretches:
            left = max(scale.area.left(), scale.x(float(one.left)))
            right = min(scale.area.right(), scale.x(float(one.right)))
            if right - left > _GAP:
                result.append((one, QRectF(left, top, right - left - _GAP, height - _GAP)))
        if stretches:
            top += height
    return result


def paint_bands(
    painter: QPainter, areas: list[tuple[Stretch, QRectF]], under: Stretch | None
) -> None:
    """The names of micro-batches and phases; ``under`` is the one below the mouse."""
    colors = theme.current()
    font = fonts.font("axis")
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    for stretch, area in areas:
        painter.fillRect(area, colors.color("selection" if stretch is under else "hover"))
        room = area.adjusted(5, 0, -1, 0)
        wide = painter.fontMetrics().horizontalAdvance
        text = next((t for t in (stretch.title, stretch.short) if wide(t) <= room.width()), "")
        painter.setPen(colors.color("text2"))
        painter.drawText(room, int(_MIDDLE), text)


def paint_phase_edges(painter: QPainter, step: Step, scale: Scale) -> None:
    """A dotted line where each phase ends."""
    painter.setPen(QPen(theme.current().color("text3"), 1, Qt.PenStyle.DotLine))
    for one in step.phases[:-1]:
        x = round(scale.x(float(one.right)))
        if scale.area.left() < x < scale.area.right():
            painter.drawLine(x, round(scale.area.top()), x, round(scale.area.bottom()))


def paint_reserved(
    painter: QPainter, step: Step, scale: Scale, edges: Floats, points: Ints
) -> None:
    """What torch's allocator reserves, dashed; the highest alone where no curve is known."""
    highest = step.peak_moment.reserved_bytes
    if highest is None:
        return
    base = theme.current().color("base")
    if step.reserved is None:
        x, values = np.array([scale.area.left(), scale.area.right()]), np.array([float(highest)])
    else:
        x, values = scale.x(edges), step.reserved[points].astype(np.float64)
    line = stairs(x, np.round(scale.y(values)))
    for pen in (QPen(base, 1), QPen(theme.current().color("text"), 1, Qt.PenStyle.DashLine)):
        painter.setPen(pen)
        painter.drawPolyline(line)
    y = scale.y(float(values[0]))
    _paint_word(
        painter,
        translate("Views", "reserved {size}").format(size=format_bytes(highest)),
        y + 3,
        scale.area,
        right=False,
    )


def paint_prediction(painter: QPainter, size_bytes: int, scale: Scale) -> None:
    """A predicted peak, as a line with its words."""
    if not scale.bottom <= size_bytes <= scale.top:
        return
    y, area = round(scale.y(float(size_bytes))), scale.area
    painter.fillRect(QRectF(area.left(), y, area.width(), 1), theme.current().color("text"))
    above = y - 2 - QFontMetricsF(fonts.font("axis")).height()
    words = translate("Views", "predicted peak {size}").format(size=format_bytes(size_bytes))
    _paint_word(painter, words, above if above >= area.top() else y + 3, area, right=False)


def paint_limit(painter: QPainter, step: Step, scale: Scale) -> None:
    """The capacity's line and its words; words alone where it is far above what is shown."""
    capacity = step.capacity_bytes
    if capacity is None:
        return
    text, area = capacity_words(capacity, on_cpu=step.on_cpu), scale.area
    if capacity > scale.top:
        _paint_word(
            painter,
            translate("Views", "{limit}, above").format(limit=text),
            area.top(),
            area,
            right=True,
        )
        return
    y = round(scale.y(float(capacity)))
    painter.fillRect(QRectF(area.left(), y - 1, area.width(), 2), theme.current().color("trouble"))
    above = y - 3 - QFontMetricsF(fonts.font("axis")).height()
    _paint_word(painter, text, above if above >= area.top() else y + 3, area, right=True)


def _paint_word(painter: QPainter, text: str, top: float, area: QRectF, *, right: bool) -> None:
    """Words at an end of a line, from ``top`` down, on a ground of their own."""
    font = fonts.font("axis")
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    width = metrics.horizontalAdvance(text) + 8
    left = area.right() - 4 - width if right else area.left() + 6
    room = QRectF(left, top, width, metrics.height())
    ground = QColor(theme.current().color("base"))
    ground.setAlphaF(0.85)
    painter.fillRect(room, ground)
    painter.setPen(theme.current().color("text"))
    painter.drawText(room, _CENTER, text)


def paint_measured(
    painter: QPainter, curves: list[tuple[Floats, Floats]], scale: Scale, pixels: int
) -> None:
    """The last run's curve, in the accent."""
    accent, base = theme.current().color("accent"), theme.current().color("base")
    for x, y in curves:
        if x[-1] < scale.left or x[0] > scale.right:
            continue
        dx, dy = decimate(x, y, y, scale.left, scale.right, pixels)
        line = arrayToQPolygonF(scale.x(dx), np.round(scale.y(dy)))
        painter.setPen(QPen(base, 1))  # so that it stands out from any area
        painter.drawPolyline(line.translated(0, -1))
        painter.drawPolyline(line.translated(0, 1))
        painter.setPen(QPen(accent, 1))
        painter.drawPolyline(line)


def paint_peak(painter: QPainter, moment: Moment, scale: Scale) -> None:
    """A mark at the peak, a dotted line down, and its value and place in a box beside it."""
    if not scale.left <= moment.event <= scale.right:
        return
    colors, area = theme.current(), scale.area
    x, y = round(scale.x(float(moment.event))), scale.y(float(moment.total_bytes))
    painter.setPen(QPen(colors.color("text"), 1, Qt.PenStyle.DotLine))
    painter.drawLine(x, round(y), x, round(area.bottom()))
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colors.color("base"), 1))
    painter.setBrush(colors.color("text"))
    painter.drawPolygon(
        QPolygonF([QPointF(x, y - 1), QPointF(x - 6, y - 10), QPointF(x + 6, y - 10)])
    )
    if area.height() > 6 * QFontMetricsF(fonts.font("body")).height():  # else it hides the areas
        _paint_box(painter, moment, x, y, area)
    painter.restore()


def _paint_box(painter: QPainter, moment: Moment, x: float, y: float, area: QRectF) -> None:
    """The peak's value and place, right of it or left where there is no room."""
    colors = theme.current()
    strong, font = fonts.semibold("body"), fonts.font("secondary")
    value = translate("Views", "Peak {size} allocated").format(
        size=format_bytes(moment.total_bytes)
    )
    wide = QFontMetricsF(strong).horizontalAdvance(value)
    wide = max(wide, QFontMetricsF(font).horizontalAdvance(moment.title)) + 20
    line = QFontMetricsF(strong).height()
    box = QRectF(x + 14, y + 8, wide, 2 * line + 10)
    if box.right() > area.right() - 4:
        box.moveRight(x - 14)
    box.moveLeft(max(box.left(), area.left() + 4))
    box.moveBottom(min(box.bottom(), area.bottom() - 4))
    painter.setPen(QPen(colors.color("border"), 1))
    painter.setBrush(colors.color("raised"))
    painter.drawRoundedRect(box, 5, 5)
    painter.setPen(colors.color("text"))
    painter.setFont(strong)
    inner = box.adjusted(10, 5, -8, -5)
    painter.drawText(inner, int(Qt.AlignmentFlag.AlignTop), value)
    painter.setFont(font)
    painter.setPen(colors.color("text2"))
    painter.drawText(inner, int(Qt.AlignmentFlag.AlignBottom), moment.title)


def paint_cursor(painter: QPainter, event: float, scale: Scale) -> None:
    """The line at the moment that is read out."""
    if scale.left <= event <= scale.right:
        x, area = round(scale.x(event)), scale.area
        painter.fillRect(QRectF(x, area.top(), 1, area.height()), theme.current().color("text"))


def paint_selection(painter: QPainter, start: float, now: float, area: QRectF) -> None:
    """What the mouse marks to zoom in on, between two x."""
    left, right = sorted((start, now))
    band = QRectF(left, area.top(), right - left, area.height())
    accent = theme.current().color("accent")
    ground = QColor(accent)
    ground.setAlphaF(0.2)
    painter.fillRect(band, ground)
    painter.setPen(QPen(accent, 1))
    painter.drawRect(band)
