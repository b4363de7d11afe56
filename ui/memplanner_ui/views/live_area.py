"""The tinted area below a curve that has a point or two at each pixel.

Painted a column at a time, in 2 ms: one polygon with so many edges takes Qt 20 to 400.
"""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter

from memplanner_ui.views.live_data import Floats


class CurveArea(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """From a curve down to the bottom of the plot."""

    def __init__(self) -> None:
        super().__init__()
        self._x: Floats = np.empty(0)
        self._y: Floats = np.empty(0)
        self._color = QColor()

    def set_color(self, color: QColor) -> None:
        """Tints it."""
        self._color = color
        self.update()

    def set_data(self, x: Floats, y: Floats) -> None:
        """The curve, from left to right; of points at one place the highest counts."""
        if len(x):
            first = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])
            x, y = x[first], np.maximum.reduceat(y, first)
        self._x, self._y = x, y
        self.update()

    def boundingRect(self) -> QRectF:
        """All that the plot shows."""
        shown = self.viewRect()
        return QRectF() if shown is None else QRectF(shown)

    def viewRangeChanged(self) -> None:
        """Follows what the plot shows."""
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Fills the columns of pixels; those of one height beside each other at once."""
        if len(self._x) < 2:
            return
        to_pixels = painter.transform()
        view = to_pixels.mapRect(self.boundingRect())
        x = self._x * to_pixels.m11() + to_pixels.dx()
        y = self._y * to_pixels.m22() + to_pixels.dy()
        left, right = max(x[0], view.left()), min(x[-1], view.right())
        columns = np.arange(np.floor(left), np.ceil(right))
        if not len(columns):
            return
        tops = np.round(np.interp(columns + 0.5, x, y)).astype(np.int64)
        begins = np.flatnonzero(np.r_[True, tops[1:] != tops[:-1]])
        widths = np.diff(begins, append=len(tops)).tolist()
        bottom = round(view.bottom())
        painter.save()
        painter.resetTransform()
        for place, top, width in zip(
            columns[begins].astype(np.int64).tolist(), tops[begins].tolist(), widths, strict=True
        ):
            painter.fillRect(place, top, width, bottom - top, self._color)
        painter.restore()
