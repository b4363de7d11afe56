"""A table over a model of rows that is read and chosen from, never edited or sorted."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractItemModel
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import FiguresDelegate, mirrors
from memplanner_ui.views.copying import Copies

_ROW = 24


class RowTable(QTableView):
    """Columns of fixed width, one of which takes the room that is left."""

    def __init__(
        self,
        name: str,
        rows: QAbstractItemModel,
        widths: Sequence[int],
        *,
        stretched: int,
        row_height: int = _ROW,
        parent: QWidget | None = None,
    ) -> None:
        """``name`` is what a screen reader says; ``widths`` are of each column, at 100 %."""
        super().__init__(parent)
        rows.setParent(self)
        self.setModel(rows)
        self.setAccessibleName(name)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(fonts.scaled(row_height))
        header = self.horizontalHeader()
        header.setFont(fonts.font("secondary"))
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate(widths):
            if column != stretched:
                header.resizeSection(column, fonts.scaled(width))
        theme.current().changed.connect(self.viewport().update)
        self.copies = Copies(self, key=True)
        if mirrors():
            self.setItemDelegate(FiguresDelegate(self))
