"""Past runs as a table; an error from 3 % on has the caution colour and a bar beside it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyleOptionViewItem,
    QTableWidgetItem,
    QWidget,
)

from memplanner.messages.history import KeptRun
from memplanner.report import past_runs
from memplanner_ui.language import of_plan, translatable, translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import FiguresDelegate, placed
from memplanner_ui.views.figures_table import Cell, FiguresTable
from memplanner_ui.views.history_data import said
from memplanner_ui.views.parts import exact

WHEN, MODEL, PLAN, DEVICE, PREDICTED, MEASURED, ERROR, ESTIMATED, STEP = range(9)
"""The columns, as in ``past_runs.TITLES``."""
_NUMBER, _LARGE = int(Qt.ItemDataRole.UserRole) + 1, int(Qt.ItemDataRole.UserRole) + 2
_WIDTHS = {
    MODEL: 116, DEVICE: 104, PREDICTED: 76, MEASURED: 76, ERROR: 68, ESTIMATED: 72,
    STEP: 64,
}  # fmt: skip
_TIPS = {
    ERROR: translatable(
        "Views", "(predicted − measured) / measured, of what tensors take at the peak"
    ),
    ESTIMATED: translatable(
        "Views", "A step’s time by the device’s data sheet, before anything was measured"
    ),
    STEP: translatable("Views", "The median of the measured steps after the first"),
}
_TIMES_FROM, _MODEL_FROM = 760, 560
"""Narrower than this, times and then the model are left to the tool tip and the right side."""
_A_TIME, _AROUND = "2026-08-28 20:48", 16
_BAR = 3


Line = tuple[KeptRun, tuple[str, ...]]
"""A run and its row."""


class _ErrorDelegate(FiguresDelegate):
    """Puts the bar at the right of a large error."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        super().paint(painter, option, index)
        if index.data(_LARGE):
            area = QRectF(option.rect)
            bar = QRectF(area.right() - _BAR + 1, area.top() + 4, _BAR, area.height() - 8)
            painter.fillRect(placed(bar, area), theme.current().color("caution"))


class HistoryTable(FiguresTable):
    """A row a run; one is selected."""

    selected = Signal(int)
    """The number of a run."""
    activated_run = Signal(int)
    """Return, or a double click: its plan is to be used."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Past runs"), words=DEVICE + 1, parent=parent)
        self._lines: tuple[Line, ...] = ()
        self._quiet = False
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setItemDelegateForColumn(ERROR, _ErrorDelegate(self))
        self.set_titles([of_plan(title) for title in past_runs.TITLES])
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(False)
        for column, width in _WIDTHS.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(column, fonts.scaled(width))
        metrics = QFontMetrics(fonts.font("body"))
        header.resizeSection(WHEN, metrics.horizontalAdvance(_A_TIME) + _AROUND)
        for column, tip in _TIPS.items():
            title = self.horizontalHeaderItem(column)
            if title is not None:
                title.setToolTip(translate("Views", tip))
        header.setSectionResizeMode(PLAN, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(fonts.scaled(56))
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setMinimumHeight(fonts.scaled(100))
        self.currentItemChanged.connect(lambda *_: self._tell())
        self.itemActivated.connect(lambda _: self._activate())
        theme.current().changed.connect(self._restyle)

    def _restyle(self) -> None:
        self.show_runs(self._lines)

    def show_runs(self, lines: Sequence[Line], *, several_cards: bool | None = None) -> None:
        """Lists runs with their cells; the column of devices only where there are several."""
        now = self.current_number()
        self._lines, self._quiet = tuple(lines), True
        if several_cards is not None:
            self.setColumnHidden(DEVICE, not several_cards)
        self._show_columns()
        self.setSortingEnabled(False)
        self.set_rows([_cells(*line) for line in lines])
        for row, line in enumerate(lines):
            self._dress(row, *line)
        self.setSortingEnabled(True)
        self._quiet = False
        self.select(now)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_columns()

    def _show_columns(self) -> None:
        width = self.width()
        if not self.isColumnHidden(DEVICE):
            width -= self.columnWidth(DEVICE)
        timed = any(run.step_seconds is not None for run, _ in self._lines)
        for column in (ESTIMATED, STEP):
            self.setColumnHidden(column, not timed or width < fonts.scaled(_TIMES_FROM))
        self.setColumnHidden(MODEL, width < fonts.scaled(_MODEL_FROM))

    def _dress(self, row: int, run: KeptRun, cells: Sequence[str]) -> None:
        words = said(cells)
        for column in range(self.columnCount()):
            item = self._at(row, column)
            item.setData(_NUMBER, run.id)
            tip = {
                PREDICTED: exact(run.predicted.allocated_bytes),
                MEASURED: exact(run.measured.allocated_bytes),
            }.get(column, words)
            item.setToolTip(tip)
            title = of_plan(past_runs.TITLES[column])
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{title}: {item.text()}")
        error = self._at(row, ERROR)
        if past_runs.is_large(run):
            error.setData(_LARGE, True)
            error.setForeground(theme.current().color("caution"))
            error.setFont(fonts.semibold("body"))

    def current_number(self) -> int | None:
        """The number of the run that is selected."""
        item = self.currentItem()
        return None if item is None else int(item.data(_NUMBER))

    def numbers(self) -> tuple[int, ...]:
        """The runs' numbers in the order in which they stand."""
        return tuple(int(self._at(row, 0).data(_NUMBER)) for row in range(self.rowCount()))

    def select(self, number: int | None) -> None:
        """Selects a run's row without telling; none where it is not shown."""
        numbers = self.numbers()
        self._quiet = True
        if number in numbers:
            self.setCurrentCell(numbers.index(number), max(0, self.currentColumn()))
        else:
            self.setCurrentCell(-1, -1)
            self.clearSelection()
        self._quiet = False

    def _at(self, row: int, column: int) -> QTableWidgetItem:
        item = self.item(row, column)
        if item is None:
            raise LookupError(f"no cell {row}, {column}")
        return item

    def _tell(self) -> None:
        number = self.current_number()
        if not self._quiet and number is not None:
            self.selected.emit(number)

    def _activate(self) -> None:
        number = self.current_number()
        if number is not None:
            self.activated_run.emit(number)


def _cells(run: KeptRun, words: Sequence[str]) -> list[Cell]:
    """Each cell with the number that it sorts by, where it is not sorted by its words."""
    cells: list[Cell] = list(words)
    unknown = -1.0
    for column, value in (
        (PREDICTED, run.predicted.allocated_bytes),
        (MEASURED, run.measured.allocated_bytes),
        (ERROR, unknown if run.error is None else abs(run.error)),
        (ESTIMATED, run.estimated_seconds),
        (STEP, run.step_seconds),
    ):
        cells[column] = (str(cells[column]), unknown if value is None else float(value))
    return cells
