"""The icicle for those who read rather than look: a row a tile, in the order of the model."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHeaderView, QWidget

from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views import icicle_paint, icicle_words
from memplanner_ui.views.figures_table import Cell, FiguresTable
from memplanner_ui.views.icicle_data import COLUMNS, Icicle
from memplanner_ui.views.icicle_layout import Tile
from memplanner_ui.views.parts import short_title

_INDENT = "\N{EM SPACE}"
_WIDTH = 76


class IcicleTable(FiguresTable):
    """The tiles of one zoom. ``opened`` gives the place of a tile in them."""

    opened = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Icicle as a table"), words=2, parent=parent)
        self._places: list[int] = []
        self.setSelectionMode(FiguresTable.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.doubleClicked.connect(lambda index: self.opened.emit(self._places[index.row()]))
        self.copy_wanted.connect(self._copy)

    def show_tiles(self, icicle: Icicle | None, tiles: Sequence[Tile], column: str) -> None:
        """Shows ``tiles``, what is below one after it; the chosen row stays chosen."""
        chosen = self.currentRow()
        self._places = [] if icicle is None else _by_model(tiles)
        if icicle is None:
            self.set_rows([])
            return
        parts = [place for place in range(len(COLUMNS)) if icicle.bytes[:, place].any()]
        names = [COLUMNS[place] for place in parts]
        short = [short_title(name) for name in names]
        self.set_titles(
            [
                translate("Views", "Module"),
                translate("Views", "Type"),
                translate("Views", "Bytes"),
                translate("Views", "Share"),
                *short,
            ]
        )
        rows = []
        for place in self._places:
            tile = tiles[place]
            size = icicle_words.size_bytes(icicle, tile, column)
            share = icicle_words.share_of(icicle, tile, column)
            sizes = icicle.bytes[tile.first : tile.stop].sum(axis=0).tolist()
            cells: list[Cell] = [
                _INDENT * tile.row + icicle_paint.title_of(icicle, tile),
                icicle.type(tile.first) if tile.many == 1 else "",
                (format_bytes(size), float(size)),
                (icicle_words.share_words(share), share),
                *((format_bytes(sizes[one]), float(sizes[one])) for one in parts),
            ]
            rows.append(cells)
        self.set_rows(rows)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.setColumnWidth(0, fonts.scaled(3 * _WIDTH))
        self.setColumnWidth(1, fonts.scaled(2 * _WIDTH))
        for place in range(2, self.columnCount()):
            self.setColumnWidth(place, fonts.scaled(_WIDTH))
        if rows:
            self.selectRow(max(0, min(chosen, len(rows) - 1)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return opens the chosen row's tile."""
        row = self.currentRow()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row >= 0:
            self.opened.emit(self._places[row])
            event.accept()
            return
        super().keyPressEvent(event)

    def _copy(self) -> None:
        """Puts the whole table on the clipboard as tab-separated text."""
        columns = range(self.columnCount())
        titles = [self.horizontalHeaderItem(place) for place in columns]
        lines = ["\t".join("" if one is None else one.text() for one in titles)]
        for row in range(self.rowCount()):
            cells = [self.item(row, place) for place in columns]
            lines.append("\t".join("" if one is None else one.text() for one in cells))
        QGuiApplication.clipboard().setText("\n".join(lines))


def _by_model(tiles: Sequence[Tile]) -> list[int]:
    """Places of ``tiles``, each before what is below it and after what stands at its left."""
    return sorted(range(len(tiles)), key=lambda place: (tiles[place].left, tiles[place].row))
