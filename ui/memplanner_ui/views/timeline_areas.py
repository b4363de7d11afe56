"""The stacked areas of the timeline, with their names where there is room."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pyqtgraph.functions import arrayToQPolygonF
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from memplanner_ui.look import hatch, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.parts import title_of
from memplanner_ui.views.timeline_data import Floats, Ints, Step
from memplanner_ui.views.timeline_scale import Scale

_INSET = 8.0


def stairs(edges: Floats, values: Floats) -> QPolygonF:
    """The line that holds each of ``values`` from its edge to the next; pixels in, pixels out."""
    polygon: QPolygonF = arrayToQPolygonF(np.repeat(edges, 2)[1:-1], np.repeat(values, 2))
    return polygon


def paint(
    painter: QPainter, step: Step, scale: Scale, edges: Floats, points: Ints, pixel: float
) -> None:
    """Paints ``points`` of the step; ``pixel`` is the size of a device pixel."""
    colors, area = theme.current(), scale.area
    x = np.round(scale.x(edges) / pixel) * pixel
    tops = scale.y(step.tops[:, points].astype(np.float64))
    tops = np.clip(np.round(tops / pixel) * pixel, area.top(), area.bottom())
    painter.setPen(Qt.PenStyle.NoPen)
    for name, top in zip(reversed(step.layers), tops[::-1], strict=True):
        painter.setBrush(colors.color(name))
        painter.drawPolygon(_closed(x, top, area.bottom()))
    if colors.outline is not None:
        painter.setPen(QPen(colors.outline, 1))
        for top in tops:
            painter.drawPolyline(stairs(x, top))
    if len(tops):
        _paint_over(painter, step, scale, x, tops[-1])
    _paint_names(painter, step, area, x, tops)


def _closed(x: Floats, top: Floats, bottom: float) -> QPolygonF:
    polygon = stairs(x, top)
    polygon.append(QPointF(x[-1], bottom))
    polygon.append(QPointF(x[0], bottom))
    return polygon


def _paint_over(painter: QPainter, step: Step, scale: Scale, x: Floats, top: Floats) -> None:
    """What is above the capacity, hatched in the colour of trouble as in the budget bar."""
    capacity = step.capacity_bytes
    if capacity is None or float(step.total.max()) <= capacity:
        return
    limit = scale.y(float(capacity))
    painter.save()
    painter.setClipRect(
        QRectF(scale.area.left(), scale.area.top(), scale.area.width(), limit - scale.area.top())
    )
    ground = QColor(theme.current().color("base"))
    ground.setAlphaF(0.45)
    over = _closed(x, top, scale.area.bottom())
    for brush in (
        QBrush(ground),
        QBrush(theme.current().color("trouble"), Qt.BrushStyle.BDiagPattern),
    ):
        painter.setBrush(brush)
        painter.drawPolygon(over)
    painter.restore()


def paint_beside(painter: QPainter, step: Step, scale: Scale) -> None:
    """What takes of the capacity beside the step hangs from its line: other programs, overhead."""
    capacity = step.capacity_bytes
    if capacity is None or capacity > scale.top:
        return
    colors, area = theme.current(), scale.area
    line = QColor(colors.color("on_other"))
    line.setAlphaF(0.45)
    overhead, other = step.beside_bytes
    high = float(capacity)
    for name, size in (("other", other), ("overhead", overhead)):
        top, bottom = scale.y(high), min(area.bottom(), scale.y(high - size))
        band = QRectF(area.left(), top, area.width(), bottom - top)
        if name == "other":
            hatch.fill(painter, band, colors.color("other"), line)
        else:
            painter.fillRect(band, colors.color("overhead"))
        high -= size


def _paint_names(painter: QPainter, step: Step, area: QRectF, x: Floats, tops: Floats) -> None:
    """Each part's name at the first place where it fits into its area."""
    font = QFont(fonts.font("axis"))
    font.setWeight(QFont.Weight.DemiBold)
    metrics = QFontMetricsF(font)
    height = metrics.height() + 4
    painter.setFont(font)
    # The edges at every pixel, so that windows of equal width can be compared.
    pixels = np.arange(int(area.left()), int(area.right()))
    at = np.clip(np.searchsorted(x, pixels, "right") - 1, 0, tops.shape[1] - 1)
    lower = np.full(len(pixels), area.bottom())
    said: set[str] = set()
    for name, top in zip(step.layers, tops, strict=True):
        upper = top[at]
        width = int(metrics.horizontalAdvance(title_of(name))) + round(2 * _INSET)
        if width < len(pixels) and name not in said:
            highest = sliding_window_view(lower, width).min(axis=1)
            lowest = sliding_window_view(upper, width).max(axis=1)
            fits = np.flatnonzero(highest - lowest >= height)
            if len(fits):
                said.add(name)
                place = int(fits[0])
                y = float(lowest[place] + min(highest[place] - lowest[place], 3 * height) / 2)
                room = QRectF(pixels[place] + _INSET, y - height / 2, width, height)
                painter.setPen(theme.current().color(f"on_{name}"))
                painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), title_of(name))
        lower = upper
