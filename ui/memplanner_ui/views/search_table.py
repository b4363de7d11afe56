"""Found plans as a table: changes as tags, the risk with its shape, figures. Read and copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from memplanner.messages.cost import RISKS
from memplanner.messages.search import FoundPlan
from memplanner.report.text import tabs
from memplanner.units import NOTHING
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views import search_words as words
from memplanner_ui.views.copying import Copies
from memplanner_ui.views.search_data import FoundPlans, key_of, slower_by
from memplanner_ui.views.search_row import (
    CARD,
    CHANGES,
    FOUND_ROLE,
    PEAK,
    QUALITY,
    SPARE,
    STEP,
    TIME,
    SearchRowDelegate,
)

TITLES = (
    translatable("Views", "Changes"),
    translatable("Views", "Quality"),
    translatable("Views", "Card"),
    translatable("Views", "Peak"),
    translatable("Views", "To spare"),
    translatable("Views", "Step"),
    translatable("Views", "Time"),
)
ROW = 24
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_LAST = float("inf")
_Index = QModelIndex | QPersistentModelIndex


class SearchTableModel(QAbstractTableModel):
    """The plan as it is, then others, in the order of a column."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found = FoundPlans()
        self._plans: tuple[FoundPlan, ...] = ()
        self._rows: tuple[FoundPlan, ...] = ()
        self._column, self._falling = -1, False

    def show_plans(self, found: FoundPlans, plans: Sequence[FoundPlan]) -> None:
        """Shows ``plans`` of ``found``."""
        self.beginResetModel()
        self._found, self._plans = found, tuple(plans)
        self._order()
        self.endResetModel()

    @property
    def rows(self) -> tuple[FoundPlan, ...]:
        """The plans in the order of the rows."""
        return self._rows

    def row_of(self, found: FoundPlan | None) -> int:
        """The row of a plan; −1 where it is not shown."""
        if found is None:
            return -1
        key = key_of(found)
        return next((row for row, one in enumerate(self._rows) if key_of(one) == key), -1)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Orders the plans by a column; −1: by risk, then time."""
        self.layoutAboutToBeChanged.emit()
        kept = self.persistentIndexList()
        plans = [self._rows[index.row()] for index in kept]
        self._column, self._falling = column, order == Qt.SortOrder.DescendingOrder
        self._order()
        places = {id(found): row for row, found in enumerate(self._rows)}
        moved = [
            self.index(places[id(found)], index.column())
            for index, found in zip(kept, plans, strict=True)
        ]
        self.changePersistentIndexList(kept, moved)  # the selection stays with its plan
        self.layoutChanged.emit()

    def _order(self) -> None:
        own = self._found.unchanged
        plans = list(self._plans)
        key = self._sort_key()
        if key is not None:
            plans.sort(key=key, reverse=self._falling)
        self._rows = (*(() if own is None else (own,)), *plans)

    def _sort_key(self) -> Callable[[FoundPlan], tuple[object, ...]] | None:
        """What a column sorts by; what is not known comes last."""
        unknown = -_LAST if self._falling else _LAST

        def share(found: FoundPlan) -> float:
            value = slower_by(found, self._found.unchanged)
            return unknown if value is None else value

        keys: dict[int, Callable[[FoundPlan], tuple[object, ...]]] = {
            CHANGES: lambda one: (len(one.changes), words.said(one)),
            QUALITY: lambda one: (RISKS.index(one.quality.risk), self._found.whole_bytes(one)),
            CARD: lambda one: (one.device, one.cards),
            PEAK: lambda one: (self._found.whole_bytes(one),),
            SPARE: lambda one: (unknown if one.spare_bytes is None else one.spare_bytes,),
            STEP: lambda one: (unknown if one.time is None else one.time.seconds,),
            TIME: lambda one: (share(one),),
        }
        return keys.get(self._column)

    # What Qt asks

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # Qt's own default
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # as above
        return 0 if parent.isValid() else len(TITLES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return translate("Views", TITLES[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if section <= CARD else _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole and section == TIME:
            return translate("Views", "For a token or sample, beside the plan as it is")
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        found = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(found, index.column())
        if role == FOUND_ROLE:
            return found
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if index.column() <= CARD else _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole:
            if index.column() == QUALITY:
                return words.risk_tip(found.quality.risk)
            return words.said(found).replace(", ", "\n")
        if role == Qt.ItemDataRole.AccessibleTextRole:
            title = translate("Views", TITLES[index.column()])
            return f"{title}: {words.spoken(self.text(found, index.column()))}"
        return None

    def text(self, found: FoundPlan, column: int) -> str:
        """The words of a cell."""
        if column == CHANGES:
            return words.said(found)
        if column == QUALITY:
            return words.risk_title(found.quality.risk)
        if column == CARD:
            return found.device if found.cards == 1 else f"{found.cards} × {found.device}"
        if column == PEAK:
            size, whole = self._found.whole_bytes(found), self._found.is_whole(found)
            return words.peak_words(size, whole=whole)
        if column == SPARE:
            return words.spare_words(found, self._found.whole_bytes(found))
        if column == STEP:
            return words.time_words(found)
        share = slower_by(found, self._found.unchanged)
        return NOTHING if self._found.is_own(found) else words.share_words(share)


class SearchTable(QTableView):
    """Rows of plans; one is selected. Return takes it, and the key for copying copies all."""

    selected = Signal(object)
    activated_plan = Signal(object)
    """Return, or a double click: the plan is to be used."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._quiet = False
        self.rows = SearchTableModel(self)
        self.setModel(self.rows)
        self._painter = SearchRowDelegate(self)
        self.setItemDelegate(self._painter)
        self.setAccessibleName(translate("Views", "Plans as a table"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.copies = Copies(
            self, lambda: self._texts(self.rows.rows), lambda: self._texts(self._selected())
        )
        self.setMouseTracking(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(fonts.scaled(ROW))
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStyleSheet("QHeaderView::section:first { padding-left: 14px; }")
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(CHANGES, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        self.setSortingEnabled(True)
        widths = ((QUALITY, 118), (CARD, 120), (PEAK, 74), (SPARE, 78), (STEP, 64), (TIME, 60))
        for column, width in widths:
            self.setColumnWidth(column, fonts.scaled(width))
        self.selectionModel().currentRowChanged.connect(self._on_row)
        self.doubleClicked.connect(self._activate)

    def show_plans(
        self, found: FoundPlans, plans: Sequence[FoundPlan], *, other_cards: bool, timed: bool
    ) -> None:
        """Shows plans; the columns for cards and time only where they say something."""
        now = self.current
        self._quiet = True
        self.rows.show_plans(found, plans)
        self.setColumnHidden(CARD, not other_cards)
        for column in (STEP, TIME):
            self.setColumnHidden(column, not timed)
        self._quiet = False
        self.select(now, scrolled=False)  # rows come in while someone reads others

    def set_dimmed(self, dimmed: bool) -> None:
        """Whether what is shown is of an earlier plan."""
        self._painter.dimmed = dimmed
        self.viewport().update()

    @property
    def current(self) -> FoundPlan | None:
        """The plan whose row is selected."""
        index = self.currentIndex()
        return self.rows.rows[index.row()] if index.isValid() else None

    def select(self, found: FoundPlan | None, *, scrolled: bool = True) -> None:
        """Selects a plan's row without telling; none where it is not shown."""
        row = self.rows.row_of(found)
        bar = self.verticalScrollBar()
        place = bar.value()
        self._quiet = True
        if row < 0:
            self.selectionModel().clear()
        else:
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(
                self.rows.index(row, 0), flags.ClearAndSelect | flags.Rows
            )
            if scrolled:
                self.scrollTo(self.rows.index(row, 0))
            else:
                bar.setValue(place)  # a new current row scrolls to itself
        self._quiet = False

    def copy(self) -> None:
        """Puts all rows on the clipboard: a line for each, tabs between cells."""
        self.copies.copy(tabs)

    def _texts(self, found: Sequence[FoundPlan]) -> list[list[str]]:
        """The titles, then the cells of these plans, of the columns that are shown."""
        shown = [column for column in range(len(TITLES)) if not self.isColumnHidden(column)]
        plans = [[self.rows.text(one, column) for column in shown] for one in found]
        titles = [str(self.rows.headerData(one, Qt.Orientation.Horizontal)) for one in shown]
        return [titles, *plans]

    def _selected(self) -> list[FoundPlan]:
        return [self.rows.rows[index.row()] for index in self.selectionModel().selectedRows()]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._activate(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _on_row(self, current: QModelIndex, _before: QModelIndex) -> None:
        if not self._quiet and current.isValid():
            self.selected.emit(self.rows.rows[current.row()])

    def _activate(self, index: QModelIndex) -> None:
        if index.isValid() and index.row() < len(self.rows.rows):
            self.activated_plan.emit(self.rows.rows[index.row()])
