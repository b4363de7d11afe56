"""The Sharding view: the mesh, what every rank holds, and where stages begin."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from memplanner.messages.estimate import Estimate
from memplanner.plan import Plan
from memplanner.units import format_bytes, format_parameters
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.mesh_editor import MeshEditor
from memplanner_ui.views import ranks_data
from memplanner_ui.views.figures_table import FiguresTable
from memplanner_ui.views.ranks_data import Cell
from memplanner_ui.views.ranks_grid import Legend, RanksGrid
from memplanner_ui.views.ranks_stages import StageBar
from memplanner_ui.views.rows import ElidedLabel, hairline, label

_ONE_CARD = translatable(
    "Views",
    "One card holds everything. Set nodes and cards a node above; then this shows "
    "what each card holds, and which one decides.",
)
_MOST_ROWS = 8
_TITLES = (
    translatable("Views", "Ranks"),
    translatable("Views", "Parameters"),
    translatable("Views", "In flight"),
    translatable("Views", "Activations"),
    translatable("Views", "Temporaries"),
    translatable("Views", "Peak"),
    translatable("Views", "To spare"),
)


def _titles() -> list[str]:
    return [translate("Views", title) for title in _TITLES]


class RanksView(QWidget):
    """Shows the ranks of one ``Estimate``; asks for other degrees, stages and ranks."""

    rank_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.editor = MeshEditor()
        self.grid = RanksGrid()
        self.stage_bar = StageBar()
        self.table = FiguresTable(translate("Views", "Ranks as a table"))
        self.legend = Legend()
        self._estimate: Estimate | None = None
        self._plan = Plan()
        self._rows: tuple[tuple[Cell, ...], ...] = ()
        self._said = ElidedLabel()
        self._empty = label(translate("Views", _ONE_CARD), "body", "faint", wrap=True)
        self._set_up()
        self.grid.chosen.connect(self.rank_chosen)
        self.set_plan(Plan())
        self.set_estimate(None)

    def _set_up(self) -> None:
        self._said.setFont(fonts.font("secondary"))
        self._said.setProperty("ink", "secondary")
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(label(translate("Views", "Cards"), "heading"))
        heading.addWidget(self._said, 1)
        heading.addWidget(self.legend)
        self._ranks = QWidget()
        ranks = QVBoxLayout(self._ranks)
        ranks.setContentsMargins(14, 8, 14, 12)
        ranks.setSpacing(8)
        ranks.addLayout(heading)
        ranks.addWidget(self.grid)
        ranks.addWidget(self.stage_bar)
        ranks.addWidget(self.table)
        self._empty.setContentsMargins(14, 14, 14, 14)
        body = QWidget()
        body.setProperty("surface", "base")
        body.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.editor, hairline(), self._empty, self._ranks):
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(body)
        self._set_up_table()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)

    def _set_up_table(self) -> None:
        table = self.table
        table.set_titles(_titles())
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        table.itemActivated.connect(lambda item: self.rank_chosen.emit(self._rank_of(item.row())))
        table.copy_wanted.connect(self.copy)

    # What is shown

    def set_plan(self, plan: Plan, *, takes_sequence: bool = True) -> None:
        """Shows the plan's mesh at once; what its ranks hold follows with its estimate."""
        self._plan = plan
        self.editor.show_plan(plan, takes_sequence=takes_sequence)
        self._show_stages()

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows an estimate's ranks, or that there is one card."""
        self._estimate = estimate
        self._rows = () if estimate is None else ranks_data.rows(estimate)
        known = bool(self._rows)
        self._ranks.setVisible(known)
        self._empty.setVisible(not known)
        self._empty.setText(
            translate("Views", _ONE_CARD)
            if self._plan.sharding.ranks == 1
            else translate("Views", "Not estimated yet.")
        )
        if estimate is not None and known:
            self._show_ranks(estimate)
        self._show_stages()

    def _show_ranks(self, estimate: Estimate) -> None:
        section = estimate.plan.sharding
        micro_batches = estimate.plan.training.gradient_accumulation_steps
        cells = [cell for row in self._rows for cell in row]
        worst = ranks_data.worst(estimate)
        self.grid.show_ranks(self._rows, worst, estimate.rank, section, micro_batches)
        self.legend.show_ranks(cells)
        words = (
            translate("Views", "a row is a stage")
            if section.pipeline > 1
            else translate("Views", "each cell is a rank")
        )
        if any(cell.count > 1 for cell in cells):
            words += translate("Views", "; ranks that hold the same share a cell")
        self._said.set_text(
            translate("Views", "{words}; a stronger shade means less to spare").format(words=words)
        )
        self._fill_table(estimate)

    def _show_stages(self) -> None:
        """The blocks of each stage: as the plan says, else as they were dealt out."""
        section, estimate = self._plan.sharding, self._estimate
        known = () if estimate is None else ranks_data.stages(estimate.ranks)
        current = estimate is not None and estimate.plan.sharding == section
        counts = section.stage_blocks or tuple(stop - start for start, stop in known)
        fits = section.pipeline > 1 and (current or sum(counts) == (known[-1][1] if known else 0))
        shown = fits and len(counts) > 1
        self.stage_bar.setVisible(shown)
        if shown and estimate is not None:
            words = [_stage_words(estimate, place) for place in range(len(counts))]
            self.stage_bar.show_stages(counts, words, current=current)

    def _cells_of_table(self) -> list[Cell]:
        """One cell for each group of ranks that hold the same."""
        found: dict[int, Cell] = {}
        for row in self._rows:
            for cell in row:
                found.setdefault(cell.figures.first, cell)
        return list(found.values())

    def cell_of_row(self, row: int) -> Cell | None:
        """The cell that a row of the table tells; None for a row that is not there."""
        cells = self._cells_of_table()
        return cells[row] if 0 <= row < len(cells) else None

    def _rank_of(self, row: int) -> int:
        return self._cells_of_table()[row].figures.first

    def _fill_table(self, estimate: Estimate) -> None:
        rows = table_words(estimate, self._cells_of_table())
        self.table.set_rows(rows)
        row = self.table.verticalHeader().defaultSectionSize()
        height = row * min(len(rows), _MOST_ROWS)
        self.table.setFixedHeight(height + self.table.horizontalHeader().sizeHint().height() + 2)

    def copy(self) -> None:
        """Puts the table on the clipboard."""
        if self._estimate is not None:
            rows = [_titles(), *table_words(self._estimate, self._cells_of_table())]
            QGuiApplication.clipboard().setText("\n".join("\t".join(row) for row in rows))


def _stage_words(estimate: Estimate, stage: int) -> str:
    """What the rank that holds a stage takes at its peak."""
    ordered = ranks_data.stages(estimate.ranks)
    holders = [
        figures
        for figures in estimate.ranks
        if stage < len(ordered) and ordered[stage] in figures.blocks
    ]
    if not holders:
        return ""
    fullest = max(holders, key=lambda figures: figures.device_bytes or figures.allocated_bytes)
    return format_bytes(fullest.device_bytes or fullest.allocated_bytes)


def table_words(estimate: Estimate, cells: list[Cell]) -> list[list[str]]:
    """The table's rows: each group of ranks that hold the same."""
    section = estimate.plan.sharding
    micro_batches = estimate.plan.training.gradient_accumulation_steps
    found = []
    for cell in cells:
        figures = cell.figures
        kept = ranks_data.in_flight(section, cell.stage, micro_batches)
        first = figures.stage * (section.ranks // section.pipeline)
        name = (
            f"{first}"
            if figures.count == 1
            else translate("Views", "{first} to {last}").format(
                first=first, last=first + figures.count - 1
            )
        )
        if section.pipeline > 1:
            name += translate("Views", ", stage {stage}").format(stage=cell.stage)
        found.append(
            [
                name,
                format_parameters(figures.parameters),
                "–" if kept is None or section.pipeline == 1 else str(kept),
                format_bytes(figures.by_category.activations),
                format_bytes(figures.by_category.temporaries),
                format_bytes(cell.whole_bytes),
                "–" if cell.spare_bytes is None else format_bytes(cell.spare_bytes),
            ]
        )
    return found
