"""A row of a list to choose from: a mark, a line, and a smaller line below it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed

ROW = 41
DETAIL = Qt.ItemDataRole.UserRole + 1
"""The smaller line."""
MARK = Qt.ItemDataRole.UserRole + 2
"""An icon's name and its ink; None for no mark."""
MIDDLE = int(Qt.AlignmentFlag.AlignVCenter)

Index = QModelIndex | QPersistentModelIndex


class MarkedRow(QStyledItemDelegate):
    """Paints an item's text, ``DETAIL`` and ``MARK``; ``elided`` is where lines are cut."""

    elided = Qt.TextElideMode.ElideRight

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, fonts.scaled(ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colors, area = theme.current(), QRect(option.rect)
        painter.save()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(area, colors.color("selection"))
            edge = QRect(area.left(), area.top(), 2, area.height())
            painter.fillRect(placed(edge, area), colors.color("accent"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, colors.color("hover"))
        if mark := index.data(MARK):
            place = QRectF(area.left() + 12, area.center().y() - 7, 16, 16)
            icons.paint(painter, mark[0], placed(place, area), colors.color(mark[1]))
        half, width = area.height() // 2, area.width() - 43
        for text, font, ink, top in (
            (index.data(), fonts.semibold("body") if selected else fonts.font("body"), "text", 3),
            (index.data(DETAIL), fonts.font("secondary"), "text2", half - 2),
        ):
            painter.setFont(font)
            painter.setPen(colors.color(ink))
            shown = painter.fontMetrics().elidedText(str(text), self.elided, width)
            row = QRect(area.left() + 35, area.top() + top, width, half)
            painter.drawText(placed(row, area), MIDDLE, isolated(shown))
        painter.restore()
