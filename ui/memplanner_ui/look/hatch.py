"""Hatched fills: other processes, and what is over the limit."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen, QTransform

SPACING = 6.0
"""Pixels between two lines of a hatch, along the x axis."""


def fill(painter: QPainter, area: QRectF, ground: QColor, line: QColor, width: float = 1.2) -> None:
    """Paints ``area`` in ``ground`` with lines of ``line`` at 45°, one of them through its corner.

    The lines are drawn once, into a tile: smooth ones take as long as all else of a bar.
    """
    if area.width() <= 0:
        return
    device = painter.device()
    scale = device.devicePixelRatio() if device is not None else 1.0
    brush = QBrush(_tile(ground.rgba(), line.rgba(), width, scale))
    brush.setTransform(QTransform.fromScale(1 / scale, 1 / scale))
    origin = painter.brushOrigin()
    painter.setBrushOrigin(QPointF(0.0, area.bottom()))
    painter.fillRect(area, brush)
    painter.setBrushOrigin(origin)


@lru_cache(maxsize=64)
def _tile(ground: int, line: int, width: float, scale: float) -> QImage:
    """What repeats along both axes: one line from the lower left corner to the upper right."""
    side = round(SPACING * scale)
    tile = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    tile.fill(QColor.fromRgba(ground))
    painter = QPainter(tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor.fromRgba(line), width * scale, c=Qt.PenCapStyle.FlatCap))
    for shift in (-side, 0, side):  # its neighbours' edges reach into the corners
        painter.drawLine(QLineF(shift - side, 2 * side, shift + 2 * side, -side))
    painter.end()
    return tile
