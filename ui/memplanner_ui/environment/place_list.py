"""The places an engine may run in, in groups, each with a mark of whether it can."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyleOptionViewItem,
    QWidget,
)

from memplanner_ui.environment.candidates import GROUPS, Candidate
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.marked_row import DETAIL, MARK, MIDDLE, Index, MarkedRow

HEADING = 28
_CANDIDATE = Qt.ItemDataRole.UserRole


class _PlaceRow(MarkedRow):
    """A heading where an item is no candidate."""

    elided = Qt.TextElideMode.ElideMiddle

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        if index.data(_CANDIDATE) is not None:
            return super().sizeHint(option, index)
        return QSize(120, fonts.scaled(HEADING))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        if index.data(_CANDIDATE) is not None:
            super().paint(painter, option, index)
            return
        painter.save()
        painter.setFont(fonts.semibold("secondary"))
        painter.setPen(theme.current().color("text3"))
        area = QRect(option.rect).adjusted(14, 6, -8, 0)
        painter.drawText(placed(area, option.rect), MIDDLE, str(index.data()))
        painter.restore()


class PlaceList(QListWidget):
    """Emits ``chosen`` with the ``Candidate`` that is looked at."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Environment", "Where the engine can run"))
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
                heading = QListWidgetItem(translate("Environment", group), self)
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
        item.setData(MARK, mark)
        self._say(item, detail)

    def _say(self, item: QListWidgetItem, detail: str) -> None:
        item.setData(DETAIL, detail)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{item.text()}, {detail}")
        candidate = item.data(_CANDIDATE)
        item.setToolTip(f"{candidate.detail}\n{detail}" if candidate.detail != detail else detail)

    def _tell(self) -> None:
        found = self.candidate(self.currentRow())
        if found is not None:
            self.chosen.emit(found)
