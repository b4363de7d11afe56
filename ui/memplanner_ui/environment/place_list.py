"""The places an engine may run in, in groups, each with a mark of whether it can."""

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

from memplanner_ui.environment.candidates import GROUPS, Candidate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts

ROW, HEADING = 41, 28
_CANDIDATE = Qt.ItemDataRole.UserRole
_DETAIL = Qt.ItemDataRole.UserRole + 1
_MARK = Qt.ItemDataRole.UserRole + 2
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter)

Index = QModelIndex | QPersistentModelIndex


class _PlaceRow(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        heading = index.data(_CANDIDATE) is None
        return QSize(120, fonts.scaled(HEADING if heading else ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colors, area = theme.current(), QRect(option.rect)
        painter.save()
        if index.data(_CANDIDATE) is None:
            painter.setFont(fonts.semibold("secondary"))
            painter.setPen(colors.color("text3"))
            painter.drawText(area.adjusted(14, 6, -8, 0), _MIDDLE, str(index.data()))
            painter.restore()
            return
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(area, colors.color("selection"))
            painter.fillRect(area.left(), area.top(), 2, area.height(), colors.color("accent"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, colors.color("hover"))
        if mark := index.data(_MARK):
            place = QRectF(area.left() + 12, area.center().y() - 7, 16, 16)
            icons.paint(painter, mark[0], place, colors.color(mark[1]))
        half, width = area.height() // 2, area.width() - 43
        for text, font, ink, top in (
            (index.data(), fonts.semibold("body") if selected else fonts.font("body"), "text", 3),
            (index.data(_DETAIL), fonts.font("secondary"), "text2", half - 2),
        ):
            painter.setFont(font)
            painter.setPen(colors.color(ink))
            middle = Qt.TextElideMode.ElideMiddle
            shown = painter.fontMetrics().elidedText(str(text), middle, width)
            painter.drawText(QRect(area.left() + 35, area.top() + top, width, half), _MIDDLE, shown)
        painter.restore()


class PlaceList(QListWidget):
    """Emits ``chosen`` with the ``Candidate`` that is looked at."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Where the engine can run")
        self.setItemDelegate(_PlaceRow(self))
        self.setStyleSheet("QListWidget { background: transparent; }")
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.currentItemChanged.connect(lambda *_: self._tell())

    def fill(self, found: list[Candidate]) -> None:
        """Shows the candidates below the headings of their groups."""
        self.clear()
        for group in GROUPS:
            of_group = [one for one in found if one.group == group]
            if of_group:
                heading = QListWidgetItem(group, self)
                heading.setFlags(Qt.ItemFlag.NoItemFlags)
            for one in of_group:
                item = QListWidgetItem(one.title, self)
                item.setData(_CANDIDATE, one)
                self._say(item, one.detail)

    def candidate(self, row: int) -> Candidate | None:
        """What stands in a row; None for a heading or outside."""
        item = self.item(row)
        found = None if item is None else item.data(_CANDIDATE)
        return found if isinstance(found, Candidate) else None

    def select(self, row: int) -> None:
        """Looks at a row."""
        self.setCurrentRow(row)

    def mark(self, row: int, detail: str, mark: tuple[str, str] | None) -> None:
        """Says what is known of a row: words, and an icon with its colour."""
        item = self.item(row)
        item.setData(_MARK, mark)
        self._say(item, detail)

    def _say(self, item: QListWidgetItem, detail: str) -> None:
        item.setData(_DETAIL, detail)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{item.text()}, {detail}")
        candidate = item.data(_CANDIDATE)
        item.setToolTip(f"{candidate.detail}\n{detail}" if candidate.detail != detail else detail)

    def _tell(self) -> None:
        found = self.candidate(self.currentRow())
        if found is not None:
            self.chosen.emit(found)
