"""The table of plans side by side: sizes with their differences, time, settings; or modules."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHeaderView, QTableWidgetItem, QWidget

from memplanner.report import differences
from memplanner.report.differences import Compared, SizeRow
from memplanner_ui.language import of_plan, setting_of_plan, summary_of_plan, translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views import swatch
from memplanner_ui.views.compare_cards import ink_of
from memplanner_ui.views.figures_table import FiguresTable
from memplanner_ui.views.parts import exact

_ROW = 20
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_SIZE_WIDTH = 112
"""Of a column of sizes beside modules."""
_LONGEST_SIZE = "−1023 MiB"
"""No column is narrower: a cut number would be a wrong one."""
_LEAST_ROWS = 4
MOST_MODULES = 400
"""Rows of modules; the rest differs by less and is in the copied table."""


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    ink: str = "text"
    strong: bool = False
    part: str = ""
    tip: str = ""


class CompareTable(FiguresTable):
    """Shows plans; the baseline has one column, every other one two."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Plans side by side"), parent=parent)
        self._plans: tuple[Compared, ...] = ()
        self._baseline = 0
        self._layers = False
        self.verticalHeader().setMinimumSectionSize(fonts.scaled(_ROW))
        self.verticalHeader().setDefaultSectionSize(fonts.scaled(_ROW))
        header = self.horizontalHeader()
        metrics = QFontMetrics(fonts.semibold("body"))
        header.setMinimumSectionSize(metrics.horizontalAdvance(_LONGEST_SIZE) + 14)
        self.setMinimumHeight(header.sizeHint().height() + _LEAST_ROWS * fonts.scaled(_ROW))
        theme.current().changed.connect(self._fill)

    def show_plans(self, plans: tuple[Compared, ...], baseline: int, *, layers: bool) -> None:
        """Shows plans by category, or the modules that differ."""
        self._plans, self._baseline, self._layers = plans, baseline, layers
        self._fill()

    def figure_at(self, row: int, column: int) -> tuple[Compared, str] | None:
        """The plan and the category that a cell is of; an empty category is the whole peak.

        None where the cell is a title, a setting or a module's.
        """
        places = [None, *self._places_of_columns()]
        sizes = differences.by_category(self._plans) if self._plans and not self._layers else ()
        if not (0 <= row < len(sizes) and 0 <= column < len(places)):
            return None
        place = places[column]
        return None if place is None else (self._plans[place], sizes[row].part)

    def _places_of_columns(self) -> list[int]:
        """The plan that each column behind the first is of."""
        places: list[int] = []
        for place in range(len(self._plans)):
            places += [place] if place == self._baseline else [place, place]
        return places

    def _fill(self) -> None:
        self.clearSpans()
        self._fill_titles()
        rows = self._module_rows() if self._layers else self._category_rows()
        self.setRowCount(len(rows))
        for y, cells in enumerate(rows):
            for x in range(self.columnCount()):
                self.setItem(y, x, _item(cells[x] if x < len(cells) else _Cell(""), x))
            if len(cells) == 1:
                self.setSpan(y, 0, 1, self.columnCount())

    def _fill_titles(self) -> None:
        titles = [
            translate("Views", "Module")
            if self._layers
            else translate("Views", "Bytes at the peak")
        ]
        places: list[int | None] = [None]
        for place in range(len(self._plans)):
            titles.append(differences.letter(place))  # names are long, and stand above
            places.append(place)
            if place != self._baseline:
                titles.append(
                    translate("Views", "against {letter}").format(
                        letter=differences.letter(self._baseline)
                    )
                )
                places.append(None)
        self.set_titles(titles)
        header = self.horizontalHeader()
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for column, known in enumerate(places):
            item = self.horizontalHeaderItem(column)
            if item is None:
                continue
            if known is None:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
                item.setTextAlignment(_LEFT)
                continue
            name = self._plans[known].name
            item.setFont(fonts.semibold("body"))
            item.setToolTip(name)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{item.text()}, {name}")
            if self._layers:  # names of modules are long: they take what is left
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
                header.resizeSection(column, fonts.scaled(_SIZE_WIDTH))
        first = QHeaderView.ResizeMode
        header.setSectionResizeMode(0, first.Stretch if self._layers else first.ResizeToContents)

    def _category_rows(self) -> list[list[_Cell]]:
        plans, baseline = self._plans, self._baseline
        rows = [self._size_cells(row) for row in differences.by_category(plans)] if plans else []
        times = differences.step_times(plans, baseline) if plans else None
        if times is not None:
            cells = [_Cell(summary_of_plan(times.title))]
            for place, value in enumerate(times.values):
                cells.append(_Cell(value))
                if place != baseline:
                    cells.append(_Cell(times.against[place], "text2"))
            rows.append(cells)
        settings = differences.settings(plans) if len(plans) > 1 else ()
        if settings:
            rows.append([_Cell(translate("Views", "Settings that differ"), "text2", strong=True)])
        for one in settings:
            cells = [_Cell(setting_of_plan(one.title), "text2", tip=one.key)]
            values = [of_plan(value) for value in one.values]
            for place, value in enumerate(values):
                differs = value != values[baseline]
                cells.append(_Cell(value, strong=differs, tip=value))
                if place != baseline:
                    cells.append(_Cell(""))
            rows.append(cells)
        return rows

    def _module_rows(self) -> list[list[_Cell]]:
        found = differences.by_layer(self._plans, self._baseline) if self._plans else ()
        if not found:
            return [
                [_Cell(translate("Views", "Every module holds the same in these plans."), "text2")]
            ]
        rows = [self._size_cells(row) for row in found[:MOST_MODULES]]
        if len(found) > MOST_MODULES:
            rows.append(
                [
                    _Cell(
                        translate("Views", "{count} more differ by less").format(
                            count=len(found) - MOST_MODULES
                        ),
                        "text2",
                    )
                ]
            )
        return rows

    def _size_cells(self, row: SizeRow) -> list[_Cell]:
        cells = [
            _Cell(of_plan(row.title), strong=row.strong, part=row.part, tip=of_plan(row.title))
        ]
        for place, size in enumerate(row.sizes):
            tip = "" if size is None else exact(size)
            cells.append(_Cell(differences.size_words(size), strong=row.strong, tip=tip))
            if place != self._baseline:
                words = of_plan(row.difference_words(place, self._baseline))
                ink = {"fits": "fits", "trouble": "trouble"}.get(ink_of(words), "text2")
                cells.append(_Cell(words, ink, strong=ink != "text2"))
        return cells


def _item(cell: _Cell, column: int) -> QTableWidgetItem:
    item = QTableWidgetItem(cell.text)
    against = cell.ink in ("fits", "trouble", "text2") and column > 0
    item.setTextAlignment(_LEFT if column == 0 or against else _RIGHT)
    item.setForeground(theme.current().color(cell.ink))
    if cell.strong:
        item.setFont(fonts.semibold("body"))
    if cell.part:
        item.setIcon(swatch.icon(cell.part))
    if cell.tip:
        item.setToolTip(cell.tip)
    return item
