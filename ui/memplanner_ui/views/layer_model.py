"""The item model over a layer table. Sorting and filtering are the table's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from memplanner.units import NOTHING
from memplanner_ui.language import translate
from memplanner_ui.views.layer_header import PART_ROLE
from memplanner_ui.views.layer_query import Query
from memplanner_ui.views.layer_table import Column, LayerTable
from memplanner_ui.views.parts import NAMED, exact, short_title
from memplanner_ui.views.stacked_bar import words

Index = QModelIndex | QPersistentModelIndex

NAME, SHARE, FIRST_PART = 0, 1, 2
TOTAL = FIRST_PART + len(NAMED)
COLUMNS = TOTAL + 1
BAR_ROLE = Qt.ItemDataRole.UserRole + 1
"""Bytes by ``PARTS`` and, last, what the bar's full width stands for: one tuple."""
TYPE_ROLE = Qt.ItemDataRole.UserRole + 2
NAME_ROLE = Qt.ItemDataRole.UserRole + 3
"""The dotted name of the module a row belongs to."""
KIND_ROLE = Qt.ItemDataRole.UserRole + 4
MARK_ROLE = Qt.ItemDataRole.UserRole + 5
"""What the plan does to this very module, in a word or two; empty for most."""

_SORT_KEYS: tuple[Column, ...] = ("name", "share", *range(len(NAMED)), "total")
_ROOT = QModelIndex()


class LayerModel(QAbstractItemModel):
    """Rows are the table's nodes; an index's internal id is its node plus one."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table: LayerTable | None = None
        self._sort: tuple[int, Qt.SortOrder] = (-1, Qt.SortOrder.AscendingOrder)
        self._filter = Query()
        self._marks: Mapping[str, str] = {}
        self._absent: frozenset[str] = frozenset()

    def set_absent(self, parts: frozenset[str]) -> None:
        """Parts that the plan has none of: their columns are of no use."""
        self._absent = parts

    @property
    def columns_of_nothing(self) -> frozenset[int]:
        """The columns of absent parts, but of none that the table has bytes of all the same."""
        table = self._table
        there = (0,) * len(NAMED) if table is None else table.sizes(table.root)
        sized = zip(NAMED, there, strict=True)
        return frozenset(
            FIRST_PART + place
            for place, (name, size) in enumerate(sized)
            if name in self._absent and not size
        )

    def set_marks(self, marks: Mapping[str, str]) -> None:
        """By module, what the plan does to it."""
        if marks != self._marks:
            self._marks = marks
            if self._table is not None:
                self._marks_changed()

    def mark(self, node: int) -> str:
        """What the plan does to a row's very module; empty for most."""
        return "" if self._table is None else self._mark(self._table, node)

    def _mark(self, table: LayerTable, node: int) -> str:
        return self._marks.get(table.names[node], "") if table.kinds[node] == "module" else ""

    @property
    def table(self) -> LayerTable | None:
        """The table shown."""
        return self._table

    def set_table(self, table: LayerTable | None) -> bool:
        """Shows ``table``; True when rows moved, so that a view has to open them again.

        Where none did nothing is told: who hands the table in knows which numbers it shows.
        """
        if table is not None:
            self._order(table)
            if self._filter:
                table.filter(self._filter)
            if self._table is not None and table.same_shape(self._table):
                self._table = table
                return False
        self.beginResetModel()
        self._table = table
        self.endResetModel()
        return True

    def changed_columns(self, index: Index, before: LayerTable) -> list[int]:
        """Where a row says otherwise than in ``before``, which has the same rows and names."""
        table, node = self._table, self._node(index)
        if table is None or node < 0:
            return []
        if (table.total[node] == before.total[node]).all():
            return [] if table.full_bar(node) == before.full_bar(node) else [SHARE]
        cells = zip(table.cells(node), before.cells(node), strict=True)
        return [
            SHARE,
            *(FIRST_PART + place for place, (now, then) in enumerate(cells) if now != then),
        ]

    def _marks_changed(self) -> None:
        """Tells views that any row may look otherwise; they lay out anew what they show."""
        self.layoutAboutToBeChanged.emit()
        self.layoutChanged.emit()

    def set_filter(self, query: Query) -> int:
        """Keeps the rows that ``query`` finds, and those above them; the number found."""
        self._filter = query
        if self._table is None:
            return 0
        self.beginResetModel()
        found = self._table.filter(query)
        self.endResetModel()
        return found

    def _order(self, table: LayerTable) -> None:
        column, order = self._sort
        key = _SORT_KEYS[column] if column >= 0 else None
        table.sort(key, order == Qt.SortOrder.DescendingOrder)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sorts every level by ``column``; -1 is the model's own order."""
        self._sort = (column, order)
        if self._table is None:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        self._order(self._table)
        after = [self.index_of(self._node(index), index.column()) for index in before]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    # Structure

    def sibling(self, row: int, column: int, index: Index) -> QModelIndex:
        """The same as by way of the parent, which painting a row would ask for once a column."""
        if index.isValid() and row == index.row() and 0 <= column < COLUMNS:
            return self.createIndex(row, column, index.internalId())
        return self.index(row, column, self.parent(index))

    def index_of(self, node: int, column: int = 0) -> QModelIndex:
        """The index of a node; invalid when it is filtered out."""
        if self._table is None or node < 0 or not self._table.visible[node]:
            return QModelIndex()
        return self.createIndex(self._table.row(node), column, node + 1)

    # The next four are asked thousands of times to lay out a long level, so they are told shortly.

    @staticmethod
    def _node(index: Index) -> int:
        return int(index.internalId()) - 1 if index.isValid() else -1

    def node_of(self, index: Index) -> int:
        """The node of an index; -1 for none."""
        return self._node(index)

    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        table = self._table
        if table is None or not 0 <= column < COLUMNS:
            return QModelIndex()
        node = table.child(parent.internalId() - 1 if parent.isValid() else -1, row)
        return QModelIndex() if node < 0 else self.createIndex(row, column, node + 1)

    def parent(self, index: Index = _ROOT) -> QModelIndex:  # type: ignore[override]  # two in Qt
        node = self._node(index)
        if self._table is None or node < 0:
            return QModelIndex()
        above = int(self._table.parent[node])
        if above < 0:
            return QModelIndex()
        return self.createIndex(self._table.row(above), 0, above + 1)

    def rowCount(self, parent: Index = _ROOT) -> int:
        if self._table is None:
            return 0
        if not parent.isValid():
            return self._table.count_below(-1)
        return 0 if parent.column() > 0 else self._table.count_below(parent.internalId() - 1)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return COLUMNS

    def hasChildren(self, parent: Index = _ROOT) -> bool:
        if self._table is None or not parent.isValid():
            return self.rowCount(parent) > 0
        return self._table.count_below(parent.internalId() - 1) > 0 and parent.column() == 0

    # What a cell says

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        table, node = self._table, self._node(index)
        if table is None or node < 0:
            return None
        column = index.column()
        if role == BAR_ROLE:
            return table.bar(node)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(table, node, column)
        if role == NAME_ROLE:
            return table.names[node]
        if role == KIND_ROLE:
            return table.kinds[node]
        if role == TYPE_ROLE:
            return table.types[node]
        if role == MARK_ROLE:
            return self._mark(table, node)
        if role == Qt.ItemDataRole.ToolTipRole:
            tip = self._tip(table, node, column)
            mark = self._mark(table, node) if column == NAME else ""
            return f"{tip}\n{mark}" if mark else tip
        if role == Qt.ItemDataRole.AccessibleTextRole:
            words = self._words(table, node, column)
            mark = self._mark(table, node) if column == NAME else ""
            return f"{words}, {mark}" if mark else words
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= FIRST_PART:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    @staticmethod
    def _bytes(table: LayerTable, node: int, column: int) -> int:
        if column == TOTAL:
            return table.total_bytes(node)
        return int(table.total[node, column - FIRST_PART])

    def _text(self, table: LayerTable, node: int, column: int) -> str:
        if column == NAME:
            return table.titles[node]
        if column == SHARE:
            return ""
        return table.cells(node)[column - FIRST_PART]

    def _tip(self, table: LayerTable, node: int, column: int) -> str:
        if column == NAME:
            return " ".join((table.names[node], table.types[node])).strip()
        if column == SHARE:
            text = words(table.bar(node)[:-1]) or NOTHING
            return (
                translate("Views", "one block of {blocks}: {text}").format(
                    blocks=table.blocks(node), text=text
                )
                if table.blocks(node) > 1
                else text
            )
        return exact(self._bytes(table, node, column))

    def _words(self, table: LayerTable, node: int, column: int) -> str:
        if column == NAME:
            return f"{table.titles[node]} {table.types[node]}".strip()
        if column == SHARE:
            return words(table.bar(node)[:-1]) or translate("Views", "nothing")
        text = self._text(table, node, column)
        return translate("Views", "nothing") if text == NOTHING else text

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        part = NAMED[section - FIRST_PART] if FIRST_PART <= section < TOTAL else None
        if role == Qt.ItemDataRole.DisplayRole:
            if part is not None:
                return short_title(part)
            return {
                NAME: translate("Views", "Module"),
                SHARE: translate("Views", "Share, largest sibling = full"),
                TOTAL: translate("Views", "Total"),
            }[section]
        if role == PART_ROLE:
            return part
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = (
                Qt.AlignmentFlag.AlignRight if section >= FIRST_PART else Qt.AlignmentFlag.AlignLeft
            )
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def texts(self, rows: Iterable[QModelIndex], exact_bytes: bool = False) -> list[list[str]]:
        """The titles, then the cells of ``rows``: whole names, and no bars."""
        table = self._table
        if table is None:
            return []
        unused = self.columns_of_nothing
        columns = [place for place in range(FIRST_PART, TOTAL + 1) if place not in unused]
        names = [short_title(NAMED[place - FIRST_PART]) for place in columns[:-1]]
        titles = (translate("Views", "Module"), translate("Views", "Type"), *names)
        found = [[*titles, translate("Views", "Total")]]
        for index in rows:
            node = self._node(index)
            name = table.names[node]
            if table.kinds[node] in ("own", "around"):
                name = f"{name}: {table.titles[node]}" if name else table.titles[node]
            elif table.kinds[node] == "group" or not name:
                name = table.titles[node]
            if exact_bytes:
                cells = [str(self._bytes(table, node, column)) for column in columns]
            else:
                cells = [self._text(table, node, column) for column in columns]
            found.append([name, table.types[node], *cells])
        return found
