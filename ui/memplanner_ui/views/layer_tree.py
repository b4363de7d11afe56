"""The tree of layers: what is open and selected survives every new estimate."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QGuiApplication,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from memplanner.report.text import tabs
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import mirrors
from memplanner_ui.views.copying import Copies, open_rows
from memplanner_ui.views.layer_delegate import LayerDelegate
from memplanner_ui.views.layer_header import LayerHeader
from memplanner_ui.views.layer_model import COLUMNS, NAME, NAME_ROLE, SHARE, TOTAL, LayerModel
from memplanner_ui.views.layer_query import Query
from memplanner_ui.views.layer_table import LayerTable

_OPEN_AT_ONCE = 200
"""A filter opens what it found down to about this many rows."""
_SHARE_WIDTH, _NUMBER_WIDTH = 166, 72
_NAME_LEAST = 180
_PARTS = range(SHARE + 1, TOTAL)


class LayerTree(QTreeView):
    """Emits ``module_selected`` with the dotted name when the current row changes."""

    module_selected = Signal(str)
    menu_wanted = Signal(QPoint)
    """A menu is asked for, at a place on the screen: by the right button or the menu key."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = LayerModel(self)
        self._open: set[tuple[str, str]] = set()
        self._touched = False
        self._restoring = False
        self.setModel(self._model)
        self._delegate = LayerDelegate(self)
        self.setItemDelegate(self._delegate)
        self.setUniformRowHeights(True)
        self.setAlternatingRowColors(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIndentation(15)
        self.setMouseTracking(True)
        self.setAccessibleName(translate("Views", "Layers"))
        self.setAccessibleDescription(translate("Views", "Modules with their bytes by category"))
        self._set_up_header()
        self._set_up_actions()
        self.expanded.connect(self._opened)
        self.collapsed.connect(self._closed)
        self.selectionModel().currentRowChanged.connect(self._current_changed)
        theme.current().changed.connect(self.viewport().update)

    def _set_up_header(self) -> None:
        header = LayerHeader(self)
        self.setHeader(header)
        header.setStretchLastSection(False)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSectionsMovable(False)
        header.setMinimumSectionSize(40)
        header.setFont(fonts.font("secondary"))
        header.setAccessibleName(translate("Views", "Columns of the layers"))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(SHARE, fonts.scaled(_SHARE_WIDTH))
        for column in range(SHARE + 1, COLUMNS):
            header.resizeSection(column, fonts.scaled(_NUMBER_WIDTH))
        self.setSortingEnabled(True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keeps room for names: first the shares give way, then the view scrolls sideways."""
        self._fit_columns()
        super().resizeEvent(event)

    def _fit_columns(self) -> None:
        header, least = self.header(), fonts.scaled(_NAME_LEAST)
        numbers = sum(header.sectionSize(column) for column in range(SHARE + 1, COLUMNS))
        room = self.viewport().width() - numbers
        self.setColumnHidden(SHARE, room - fonts.scaled(_SHARE_WIDTH) < least)
        modes = QHeaderView.ResizeMode
        header.setSectionResizeMode(NAME, modes.Stretch if room >= least else modes.Interactive)
        if room < least:
            header.resizeSection(NAME, least)

    def _set_up_actions(self) -> None:
        copy = QAction(translate("Views", "Copy rows"), self)
        copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(lambda: self.copy())
        copy_bytes = QAction(translate("Views", "Copy rows with plain bytes"), self)
        copy_bytes.triggered.connect(lambda: self.copy(exact_bytes=True))
        copy_name = QAction(translate("Views", "Copy the module’s name"), self)
        copy_name.triggered.connect(self._copy_name)
        self.addActions([copy, copy_bytes, copy_name])
        self.copies = Copies(
            self, lambda: self._model.texts(open_rows(self)), lambda: self._selected()
        )

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            self.menu_wanted.emit(event.globalPos())
            return
        area = self.visualRect(self.currentIndex())
        self.menu_wanted.emit(self.viewport().mapToGlobal(area.bottomLeft() + QPoint(24, 0)))

    # Content

    @property
    def layer_model(self) -> LayerModel:
        """The model shown."""
        return self._model

    def set_table(self, table: LayerTable | None) -> None:
        """Shows ``table``; rows that were open and selected before are so again."""
        before = self._model.table
        moved = self._between(lambda: self._model.set_table(table))
        if not moved and before is not None and table is not None:
            self._repaint_figures(before, table)
        unused = self._model.columns_of_nothing
        if any(self.isColumnHidden(place) != (place in unused) for place in _PARTS):
            for place in _PARTS:
                self.setColumnHidden(place, place in unused)
            self._fit_columns()

    def _repaint_figures(self, before: LayerTable, now: LayerTable) -> None:
        """Paints the cells that tables of one shape differ in; names stay as they are."""
        if mirrors() or now.types != before.types:
            self.viewport().update()
            return
        first = self.indexAt(QPoint(0, 0))
        row = self.visualRect(first)
        bottom = self.viewport().height()
        changed = QRegion()
        while first.isValid() and row.top() < bottom:
            for column in self._model.changed_columns(first, before):
                left, width = self.columnViewportPosition(column), self.columnWidth(column)
                changed += QRect(left, row.top(), width, row.height())
            first = self.indexBelow(first)
            row.translate(0, row.height())
        self.viewport().update(changed)

    def set_filter(self, query: Query) -> int:
        """Shows what ``query`` finds, opened; the number found."""
        found = 0

        def change() -> bool:
            nonlocal found
            found = self._model.set_filter(query)
            return True

        self._between(change, open_found=bool(query))
        return found

    def _between(self, change: Callable[[], bool], open_found: bool = False) -> bool:
        """Makes a change after which rows are open and selected as before; whether any moved."""
        current = self._key(self.currentIndex())
        scroll = self.verticalScrollBar().value()
        self._restoring = True
        try:
            moved = change()
            if moved and self._model.table is not None:
                self._reopen(self._model.table, open_found)
                self._select_again(current)
                self.verticalScrollBar().setValue(scroll)
        finally:
            self._restoring = False
        return moved

    def _reopen(self, table: LayerTable, open_found: bool) -> None:
        if open_found:
            self._open_found(table)
            return
        if not self._touched:
            self._open = _first_open(table)
        for name, title in self._open:
            node = table.find(name, title)
            if node is not None:
                self.setExpanded(self._model.index_of(node), True)

    def _open_found(self, table: LayerTable) -> None:
        shown, level = 1, [table.root]
        while level:
            below = [int(child) for node in level for child in table.children(node)]
            if not below or (shown + len(below) > _OPEN_AT_ONCE and shown > 8):
                return
            for node in level:
                self.setExpanded(self._model.index_of(node), True)
            shown, level = shown + len(below), below

    def _select_again(self, key: tuple[str, str] | None) -> None:
        table = self._model.table
        node = None if key is None or table is None else table.find(*key)
        index = QModelIndex() if node is None else self._model.index_of(node)
        if index.isValid():
            self.setCurrentIndex(index)

    def _key(self, index: QModelIndex) -> tuple[str, str] | None:
        table = self._model.table
        node = self._model.node_of(index)
        if table is None or node < 0:
            return None
        return table.names[node], table.titles[node]

    def _opened(self, index: QModelIndex) -> None:
        key = self._key(index)
        if key is not None and not self._restoring:
            self._touched = True
            self._open.add(key)

    def _closed(self, index: QModelIndex) -> None:
        key = self._key(index)
        if key is not None and not self._restoring:
            self._touched = True
            self._open.discard(key)

    # Selection

    def select(self, name: str) -> bool:
        """Makes the module ``name`` the current row and shows it; False where it has none."""
        table = self._model.table
        node = None if table is None else table.node(name)
        if node is None:
            return False
        index = self._model.index_of(node)
        if not index.isValid():
            return False
        above = index.parent()
        while above.isValid():
            self.expand(above)
            above = above.parent()
        self.setCurrentIndex(index)
        self.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)
        return True

    def deselect(self) -> None:
        """Leaves no row selected."""
        self.clearSelection()
        self.setCurrentIndex(QModelIndex())

    @property
    def current_name(self) -> str | None:
        """The module that the current row belongs to; None without one."""
        index = self.currentIndex()
        return str(index.data(NAME_ROLE)) if index.isValid() else None

    def _current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid() and not self._restoring:
            self.module_selected.emit(current.data(NAME_ROLE))

    def picked(self) -> tuple[str, ...]:
        """The modules of the selected rows; of a group or a type, each that it gathers."""
        table = self._model.table
        if table is None:
            return ()
        found: dict[str, None] = {}
        for index in self.selectionModel().selectedRows():
            node = self._model.node_of(index)
            if table.kinds[node] in ("group", "type"):
                found.update((table.names[int(below)], None) for below in table.children(node))
            elif table.kinds[node] == "module":
                found[table.names[node]] = None
        return tuple(found)

    # Copying

    def copy(self, exact_bytes: bool = False) -> None:
        """Puts the selected rows on the clipboard as text."""
        if self.selectionModel().hasSelection():
            QGuiApplication.clipboard().setText(tabs(self._selected(exact_bytes)))

    def _selected(self, exact_bytes: bool = False) -> list[list[str]]:
        """The titles, then the cells of the selected rows from the top down."""
        rows = self.selectionModel().selectedRows()
        rows.sort(key=lambda index: self.visualRect(index).top())
        return self._model.texts(rows, exact_bytes)

    def _copy_name(self) -> None:
        name = self.currentIndex().data(NAME_ROLE)
        if name:
            QGuiApplication.clipboard().setText(name)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self._delegate.begin(event.region())
        super().paintEvent(event)

    def drawRow(
        self,
        painter: QPainter,
        options: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        super().drawRow(painter, options, index)
        area: QRect = options.rect
        if self.selectionModel().isRowSelected(index.row(), index.parent()):
            accent = theme.current().color("accent")
            painter.fillRect(QRect(0, area.top(), 3, area.height()), accent)
            if (
                self.hasFocus()
                and index.row() == self.currentIndex().row()
                and (index.parent() == self.currentIndex().parent())
            ):
                painter.setPen(QPen(accent, 2))
                width = self.viewport().width()
                painter.drawRect(QRect(1, area.top() + 1, width - 2, area.height() - 2))


def _first_open(table: LayerTable) -> set[tuple[str, str]]:
    """What is open before anyone chose: single children, lists of blocks, what is in no module."""
    root = table.root
    result = {(table.names[root], table.titles[root])}
    level = [int(child) for child in table.children(root)]
    for node in level:
        below = table.children(node)
        if table.kinds[node] == "around" or len(below) <= 12:
            result.add((table.names[node], table.titles[node]))
        for child in below:
            inner = table.children(int(child)) if table.grouped else ()
            grouped = any(table.blocks(int(one)) > 1 for one in inner)
            if grouped and len(table.children(int(child))) <= 24:
                result.add((table.names[int(child)], table.titles[int(child)]))
    return result


__all__ = ["TOTAL", "LayerTree"]
