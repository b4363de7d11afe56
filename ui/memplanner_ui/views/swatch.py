"""The little square that stands for a part in legends, headers and tables."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from memplanner_ui.look import hatch, theme

SIZE = 10
_CANVAS = 16


def icon(name: str, scale: float = 2.0) -> QIcon:
    """The swatch of a part as a 16 px icon, for headers and tables."""
    colors = theme.current()
    return QIcon(_drawn(name, scale, colors.scheme, colors.high_contrast))


@lru_cache(maxsize=128)
def _drawn(name: str, scale: float, _scheme: str, _high_contrast: bool) -> QIcon:
    """Drawn once in each theme: of every new icon Qt keeps what it paints, up to ten MiB."""
    pixmap = QPixmap(QSize(_CANVAS, _CANVAS) * scale)
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    inset = (_CANVAS - SIZE) / 2
    painter = QPainter(pixmap)
    paint(painter, QRectF(inset, inset, SIZE, SIZE), name)
    painter.end()
    return QIcon(pixmap)


def paint(painter: QPainter, area: QRectF, name: str) -> None:
    """The legend's square of a part: hatched for other processes, outlined for free."""
    colors = theme.current()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    fill = colors.color(name)
    if name == "other":
        line = QColor(colors.color("on_other"))
        line.setAlphaF(0.5)
        hatch.fill(painter, area, fill, line, 1.0)
    else:
        painter.setBrush(fill)
        pen = QPen(colors.color("text3"), 1) if name == "free" else QPen(Qt.PenStyle.NoPen)
        painter.setPen(QPen(colors.outline, 1) if colors.outline is not None else pen)
        inset = 0.5 if name == "free" or colors.outline is not None else 0.0
        painter.drawRoundedRect(area.adjusted(inset, inset, -inset, -inset), 2, 2)
    painter.restore()
