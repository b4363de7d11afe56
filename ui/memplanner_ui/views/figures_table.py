"""A table of words and figures that is read and copied, never edited."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem, QWidget

from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import FiguresDelegate, mirrors
from memplanner_ui.views.copying import Copies

_ROW = 24
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

Cell = str | tuple[str, float]
"""What is shown, and the number that it sorts by."""


class FiguresTable(QTableWidget):
    """Columns of words at the left, those of figures right-aligned below their titles."""

    copy_wanted = Signal()
    """The key for copying was pressed."""

    def __init__(self, name: str, *, words: int = 1, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = words
        self.setAccessibleName(name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(fonts.scaled(_ROW))
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self.copy_wanted)
        self.copies = Copies(self)
        if mirrors():
            self.setItemDelegate(FiguresDelegate(self))

    def set_titles(self, titles: Sequence[str]) -> None:
        """Names the columns, and makes as many."""
        self.setColumnCount(len(titles))
        for column, title in enumerate(titles):
            item = QTableWidgetItem(title)
            item.setTextAlignment(self._side(column))
            self.setHorizontalHeaderItem(column, item)

    def set_rows(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Shows ``rows``, a cell for each column."""
        self.setRowCount(len(rows))
        for y, cells in enumerate(rows):
            for x, cell in enumerate(cells):
                item = QTableWidgetItem(cell) if isinstance(cell, str) else _Figure(*cell)
                item.setTextAlignment(self._side(x))
                self.setItem(y, x, item)

    def _side(self, column: int) -> Qt.AlignmentFlag:
        return _LEFT if column < self._words else _RIGHT


class _Figure(QTableWidgetItem):
    """A cell that sorts by a number."""

    def __init__(self, text: str, value: float) -> None:
        super().__init__(text)
        self._value = value

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return self._value < other._value if isinstance(other, _Figure) else super().__lt__(other)
