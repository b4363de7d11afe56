"""The figures of what was found, kept, run or measured: search, compare, live, history, bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtWidgets import QWidget

from memplanner.messages.history import KeptRun
from memplanner.messages.search import FoundPlan
from memplanner.messages.sensitivity import LayerSensitivity
from memplanner.report.differences import Compared
from memplanner.report.explained import cost, found, runs
from memplanner_ui.explaining.asking import Answer, Figure, among, of_part, only
from memplanner_ui.explaining.view_figures import index_at
from memplanner_ui.views.compare_cards import PlanCard
from memplanner_ui.views.search_row import QUALITY, STEP, TIME

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow


class OtherFigures:
    """Answers of views that show more than the open plan’s estimate."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def figures(self) -> tuple[Figure, ...]:
        """Each widget with what it answers."""
        space, right = self._window.workspace, self._window.right
        return (
            Figure(space.search.table, self._search_table),
            Figure(space.search.plot, lambda _: self._found(space.search.table.current)),
            Figure(right.found, lambda _: self._found(space.search.table.current)),
            Figure(space.compare.table, self._compare_table),
            Figure(space.compare.cards, self._compare_card),
            Figure(space.live.view.table, self._live),
            Figure(space.history.table, self._history_table),
            Figure(space.history.plot, self._history_plot),
            Figure(right.past_run, lambda _: self._selected_run()),
            Figure(space.sensitivity.plot, lambda _: self._bits(space.sensitivity.plot.at)),
            Figure(space.sensitivity.table, self._bits_table),
        )

    def _search_table(self, place: QPoint | None) -> Answer | None:
        table = self._window.workspace.search.table
        index = index_at(table, place)
        if not index.isValid():
            return None
        plan, column = table.rows.rows[index.row()], index.column()
        if column == QUALITY:
            return only(cost.of_quality(plan.quality))
        if column in (STEP, TIME):
            return None if plan.time is None else only(cost.of_step(plan.time))
        return self._found(plan)

    def _found(self, plan: FoundPlan | None) -> Answer | None:
        """The peak of a found plan, then its time and its quality."""
        if plan is None:
            return None
        told = [found.of_found(plan, self._window.search.found.whole_bytes(plan))]
        if plan.time is not None:
            told.append(cost.of_step(plan.time))
        return Answer((*told, cost.of_quality(plan.quality)))

    def _compare_table(self, place: QPoint | None) -> Answer | None:
        table = self._window.workspace.compare.table
        index = index_at(table, place)
        figure = table.figure_at(index.row(), index.column())
        return None if figure is None else self._compared(*figure)

    def _compare_card(self, place: QPoint | None) -> Answer | None:
        widget: QWidget | None = self._window.workspace.compare.cards
        if place is not None and widget is not None:
            widget = widget.childAt(place)
        while widget is not None and not isinstance(widget, PlanCard):
            widget = widget.parentWidget()
        plans = self._window.compare.compared()
        if widget is None or widget.place >= len(plans):
            return None
        return self._compared(plans[widget.place], "")

    @staticmethod
    def _compared(plan: Compared, part: str) -> Answer | None:
        estimate = plan.estimate
        return None if estimate is None else among(estimate, of_part(estimate, part))

    def _live(self, place: QPoint | None) -> Answer | None:
        table, result = self._window.workspace.live.view.table, self._window.runs.result
        index = index_at(table, place)
        if result is None:
            return None
        told = [
            runs.of_comparison(row.title, row.predicted_bytes, row.measured_bytes, result.device)
            for row in table.lines
        ]
        titles = [row.title for row in table.lines]
        if index.isValid() and not table.lines[index.row()].heading:
            shown = index.row()
        else:
            shown = titles.index("Allocated at the peak")
        asked = told[shown]
        figures = tuple(one for one, row in zip(told, table.lines, strict=True) if not row.heading)
        return Answer(figures, figures.index(asked))

    def _history_table(self, place: QPoint | None) -> Answer | None:
        table = self._window.workspace.history.table
        index = index_at(table, place)
        if not index.isValid():
            return None
        return self._run(self._window.history.past.find(table.numbers()[index.row()]))

    def _history_plot(self, place: QPoint | None) -> Answer | None:
        if place is not None:
            return self._run(self._window.workspace.history.plot.nearest(QPointF(place)))
        return self._selected_run()

    def _selected_run(self) -> Answer | None:
        number = self._window.workspace.history.table.current_number()
        return self._run(self._window.history.past.find(number))

    @staticmethod
    def _run(run: KeptRun | None) -> Answer | None:
        return None if run is None else only(runs.of_past_run(run))

    def _bits_table(self, place: QPoint | None) -> Answer | None:
        view = self._window.workspace.sensitivity
        index = index_at(view.table, place)
        measured = view.sensitivity
        if measured is None or not index.isValid():
            return None
        return self._bits(measured.layers[index.row()])

    def _bits(self, layer: LayerSensitivity | None) -> Answer | None:
        measured = self._window.workspace.sensitivity.sensitivity
        if measured is None or layer is None:
            return None
        return only(found.of_sensitivity(measured, layer))
