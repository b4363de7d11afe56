"""The header of the layers: a swatch stands right before the title of each category."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QHeaderView, QWidget

from memplanner_ui.look import theme
from memplanner_ui.look.direction import placed
from memplanner_ui.views import swatch

PART_ROLE = Qt.ItemDataRole.UserRole + 5
"""The part a column shows; nothing for other columns."""
_PAD, _GAP, _ARROW = 8, 5, 14


class LayerHeader(QHeaderView):
    """Qt's own header sets an icon at the far side of a title that stands at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionsClickable(True)
        theme.current().changed.connect(self.viewport().update)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        painter.save()  # Qt leaves its own pen and font behind
        super().paintSection(painter, rect, section)
        painter.restore()
        model, side = self.model(), Qt.Orientation.Horizontal
        part = model.headerData(section, side, PART_ROLE)
        if not isinstance(part, str):
            return
        title = str(model.headerData(section, side))
        right = rect.right() - _PAD - QFontMetricsF(self.font()).horizontalAdvance(title) - _GAP
        if self.isSortIndicatorShown() and self.sortIndicatorSection() == section:
            right -= _ARROW
        top = rect.top() + (rect.height() - swatch.SIZE) / 2
        square = QRectF(right - swatch.SIZE, top, swatch.SIZE, swatch.SIZE)
        swatch.paint(painter, placed(square, rect), part)
