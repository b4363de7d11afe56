"""Hatched fills: other processes, and what is over the limit."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen

SPACING = 6.0
"""Pixels between two lines of a hatch, along the x axis."""


def fill(painter: QPainter, area: QRectF, ground: QColor, line: QColor, width: float = 1.2) -> None:
    """Paints ``area`` in ``ground`` with lines of ``line`` at 45°."""
    if area.width() <= 0:
        return
    painter.save()
    painter.setClipRect(area)
    painter.fillRect(area, ground)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(line, width))
    height = area.height()
    start = area.left() - height - (area.left() - height) % SPACING
    lines = []
    while start < area.right():
        lines.append(QLineF(start, area.bottom(), start + height, area.top()))
        start += SPACING
    painter.drawLines(lines)
    painter.restore()
