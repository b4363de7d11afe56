"""The figures of the views about one plan: layers, icicle, timeline, ranks, module, options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPoint, QPointF
from PySide6.QtWidgets import QAbstractItemView, QApplication

from memplanner.messages.estimate import Estimate
from memplanner.report.explained import Explanation, cost, parts
from memplanner_ui.explaining.asking import Answer, Figure, only
from memplanner_ui.views.icicle_data import ALL, COLUMNS, Icicle
from memplanner_ui.views.layer_model import FIRST_PART, TOTAL
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.module_panel import bar_bytes
from memplanner_ui.views.parts import NAMED, PARTS, TITLES
from memplanner_ui.views.ranks_data import Cell
from memplanner_ui.views.ranks_grid import RankButton
from memplanner_ui.views.timeline_data import STACKED, Moment

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

_MOMENTS = {
    "peak": "at the peak of the step",
    "end_of_forward": "at the end of a forward",
    "optimizer_step": "at the highest moment of the optimizer step",
    "own_maximum": "at each module’s own highest moment",
}
_MOST_INSIDE = 12
"""Parts that are told one by one; the rest is a sum."""


def index_at(view: QAbstractItemView, place: QPoint | None) -> QModelIndex:
    """The index at a place of the viewport; without one, that with the cursor."""
    return view.currentIndex() if place is None else view.indexAt(place)


class ViewFigures:
    """Answers of views that show the open plan’s estimate."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def figures(self) -> tuple[Figure, ...]:
        """Each widget with what it answers."""
        space, right, left = self._window.workspace, self._window.right, self._window.left
        return (
            Figure(space.layers.tree, self._layers),
            Figure(space.icicle.map, self._icicle),
            Figure(space.timeline.plot, self._timeline),
            Figure(space.timeline.readout, lambda _: self._timeline(None)),
            Figure(space.timeline.table, self._timeline_table),
            Figure(space.ranks.grid, self._ranks),
            Figure(space.ranks.table, self._rank_table),
            Figure(right.module, self._module),
            Figure(left.plan, self._options),
        )

    @property
    def _estimate(self) -> Estimate | None:
        return self._window.session.document.estimate

    def _layers(self, place: QPoint | None) -> Answer | None:
        estimate, tree = self._estimate, self._window.workspace.layers.tree
        index, table = index_at(tree, place), tree.layer_model.table
        if estimate is None or table is None or not index.isValid():
            return None
        node, column = tree.layer_model.node_of(index), index.column()
        named = NAMED[column - FIRST_PART] if FIRST_PART <= column < TOTAL else ""
        title, moment = table.titles[node], _MOMENTS[self._window.session.moment]
        if table.kinds[node] == "around":
            size_bytes = table.total_bytes(node)
            return only(parts.of_around(estimate, title, size_bytes, table.types[node]))
        inside = _inside(table, node, named)
        size_bytes = sum(size for _, size in inside)
        part = TITLES[named] if named else ""
        full = _full_name(table, node)
        return only(parts.of_module(estimate, full, part, size_bytes, inside, moment))

    def _icicle(self, place: QPoint | None) -> Answer | None:
        estimate, drawn = self._estimate, self._window.workspace.icicle.map
        tile = drawn.tile_under(None if place is None else QPointF(place))
        icicle, column = drawn.icicle, drawn.column
        if estimate is None or icicle is None or tile is None:
            return None
        inside = _of_tiles(icicle, tile.first, tile.stop, column)
        size_bytes = sum(size for _, size in inside)
        title = icicle.title(tile.first)
        if tile.many > 1:
            title = f"{tile.many} modules too narrow to be drawn"
        elif icicle.count[tile.first] > 1:
            title += f", {icicle.count[tile.first]} alike"
        part = "" if column == ALL else TITLES[column]
        moment = _MOMENTS[self._window.session.moment]
        return only(parts.of_module(estimate, title, part, size_bytes, inside, moment))

    def _timeline(self, place: QPoint | None) -> Answer | None:
        timeline = self._window.workspace.timeline
        point = None if place is None else timeline.plot.point_at(place)
        if timeline.step is not None and point is not None:
            return self._moment(timeline.step.moment(point))
        return self._moment(timeline.readout.moment)

    def _timeline_table(self, place: QPoint | None) -> Answer | None:
        timeline = self._window.workspace.timeline
        index = index_at(timeline.table, place)
        if timeline.step is None or not index.isValid():
            return None
        return self._moment(timeline.step.moment(timeline.table.rows.rows[index.row()].point))

    def _moment(self, moment: Moment | None) -> Answer | None:
        estimate = self._estimate
        if estimate is None or moment is None:
            return None
        inside = [(TITLES[n], size) for n, size in zip(STACKED, moment.parts, strict=True)]
        title, event = moment.title, moment.event
        return only(parts.of_moment(estimate, title, event, inside, is_peak=moment.is_peak))

    def _ranks(self, place: QPoint | None) -> Answer | None:
        grid = self._window.workspace.ranks.grid
        widget = QApplication.focusWidget() if place is None else grid.childAt(place)
        while widget is not None and not isinstance(widget, RankButton):
            widget = widget.parentWidget() if widget is not grid else None
        return self._rank(widget.cell if isinstance(widget, RankButton) else None)

    def _rank_table(self, place: QPoint | None) -> Answer | None:
        ranks = self._window.workspace.ranks
        index = index_at(ranks.table, place)
        return self._rank(ranks.cell_of_row(index.row()) if index.isValid() else None)

    def _rank(self, cell: Cell | None) -> Answer | None:
        estimate = self._estimate
        if estimate is None or cell is None:
            return None
        return only(parts.of_rank(estimate, cell.figures, cell.whole_bytes))

    def _module(self, _place: QPoint | None) -> Answer | None:
        estimate, detail = self._estimate, self._window.right.module.detail
        if estimate is None or detail is None:
            return None
        inside = [(TITLES[name], size) for name, size in zip(PARTS, bar_bytes(detail), strict=True)]
        title, total = detail.name or "the whole model", sum(size for _, size in inside)
        return only(parts.of_module(estimate, title, "", total, inside, _MOMENTS["peak"]))

    def _options(self, place: QPoint | None) -> Answer | None:
        estimate, panel = self._estimate, self._window.left.plan
        pointed = QApplication.focusWidget()
        if place is not None:
            pointed = panel.childAt(place)
        told = tuple(self._effects(panel.key_at(pointed)))
        return Answer(told) if told and estimate is not None else None

    def _effects(self, key: str | None) -> list[Explanation]:
        option = next((one for one in self._window.left.plan.options() if one.key == key), None)
        if key is None or option is None:
            return []
        return [
            cost.of_effect(effect, f"{option.title}: {option.words(effect.value)}")
            for effect in self._window.effects.shown.effects_of(key)
        ]


def _inside(table: LayerTable, node: int, named: str) -> list[tuple[str, int]]:
    """What a row's figure is made of: the rows below it, or its categories at the end of a branch.

    They add up to it; the smallest are one sum.
    """
    children = table.children(node).tolist()
    if not children:
        if named:
            return [(TITLES[named], int(table.total[node, NAMED.index(named)]))]
        sizes = table.sizes(node)
        overhead = table.total_bytes(node) - sum(sizes)
        return [
            (TITLES[n], size)
            for n, size in zip((*NAMED, "overhead"), (*sizes, overhead), strict=True)
        ]

    def held(one: int) -> int:
        return int(table.total[one, NAMED.index(named)]) if named else table.total_bytes(one)

    inside = sorted(((table.titles[one], held(one)) for one in children), key=lambda one: -one[1])
    rest = (held(node) if named else table.total_bytes(node)) - sum(
        size for _, size in inside[:_MOST_INSIDE]
    )
    return [*inside[:_MOST_INSIDE], *([("others", rest)] if rest else [])]


def _full_name(table: LayerTable, node: int) -> str:
    """A module by its dotted name; other rows by what stands on them."""
    if table.kinds[node] == "module" and table.names[node]:
        return table.names[node]
    return table.titles[node]


def _of_tiles(icicle: Icicle, first: int, stop: int, column: str) -> list[tuple[str, int]]:
    """What a tile, or several in a row, hold by category."""
    sizes = icicle.bytes[first:stop].sum(axis=0).tolist()
    return [
        (TITLES[name], size)
        for name, size in zip(COLUMNS, sizes, strict=True)
        if column in (ALL, name)
    ]
