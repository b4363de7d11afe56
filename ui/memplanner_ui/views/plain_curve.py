"""A curve that is quick to draw, and as strong on a screen with small pixels as on any other."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtGui import QPainter, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget


class PlainCurve(pg.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Drawn one pixel wide, which Qt is quick at; again beside it where pixels are smaller.

    A pen of two pixels takes a hundred times as long.
    """

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None
    ) -> None:
        """Draws the curve, one pixel of the screen beside the other."""
        super().paint(painter, option, widget)
        ratio = painter.device().devicePixelRatio()
        before = painter.worldTransform()
        for pixel in range(1, round(ratio)):
            aside = pixel / ratio
            painter.setWorldTransform(before * QTransform.fromTranslate(aside, aside))
            super().paint(painter, option, widget)
        painter.setWorldTransform(before)
