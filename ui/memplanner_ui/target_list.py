"""The list of export targets: a mark, the title, and what it says or cannot say."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from memplanner.messages.protocol import Target
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts

_NAME = Qt.ItemDataRole.UserRole
_DETAIL = Qt.ItemDataRole.UserRole + 1
_MARK = Qt.ItemDataRole.UserRole + 2
ROW = 41

Index = QModelIndex | QPersistentModelIndex


class _TargetRow(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, fonts.scaled(ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colors = theme.current()
        area: QRect = option.rect
        painter.save()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(area, colors.color("selection"))
            painter.fillRect(area.left(), area.top(), 2, area.height(), colors.color("accent"))
        mark = index.data(_MARK)
        if mark:
            icon = QRectF(area.left() + 12, area.center().y() - 7, 16, 16)
            icons.paint(painter, mark[0], icon, colors.color(mark[1]))
        half = area.height() // 2
        left, width = area.left() + 35, area.width() - 41
        flags = int(Qt.AlignmentFlag.AlignVCenter)
        for text, font, ink, top in (
            (index.data(), fonts.semibold("body") if selected else fonts.font("body"), "text", 3),
            (index.data(_DETAIL), fonts.font("secondary"), "text2", half - 2),
        ):
            painter.setFont(font)
            painter.setPen(colors.color(ink))
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QRect(left, area.top() + top, width, half), flags, shown)
        painter.restore()


class TargetList(QListWidget):
    """Tells which target is looked at."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Write for")
        self.setItemDelegate(_TargetRow(self))
        self.setStyleSheet("QListWidget { background: transparent; }")
        self.currentItemChanged.connect(lambda *_: self.chosen.emit(self.current))

    def add(self, target: Target) -> None:
        """Adds a target."""
        item = QListWidgetItem(target.title)
        item.setData(_NAME, target.name)
        item.setData(_DETAIL, target.explanation)
        item.setToolTip(target.explanation)
        self.addItem(item)

    @property
    def current(self) -> str:
        """The name of the target that is looked at; empty when there is none."""
        item = self.currentItem()
        return "" if item is None else str(item.data(_NAME))

    @property
    def current_title(self) -> str:
        """Its title."""
        item = self.currentItem()
        return "" if item is None else item.text()

    def show_cannot(self, name: str, count: int) -> None:
        """Says how many things a target cannot say."""
        words = f"{count} things it cannot say"
        words = {0: "says everything", 1: "1 thing it cannot say"}.get(count, words)
        for item in (self.item(row) for row in range(self.count())):
            if item.data(_NAME) == name:
                item.setData(_DETAIL, words)
                item.setData(_MARK, ("caution", "caution") if count else ("check", "fits"))
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{item.text()}, {words}")
