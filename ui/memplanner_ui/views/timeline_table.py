"""The timeline as a table: the peak, then the highest moment of each phase."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QWidget

from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views import swatch
from memplanner_ui.views.parts import IN_SOME_PLANS, NAMED, short_title, shown, title_of
from memplanner_ui.views.row_table import RowTable
from memplanner_ui.views.timeline_data import STACKED, Moment, Step

_HEADINGS = (
    translatable("Views", "Phase"),
    translatable("Views", "Event"),
    translatable("Views", "Allocated"),
    translatable("Views", "Reserved"),
)
_EVENT, _RESERVED = 1, 3
_WIDTHS = (0, 52, 74, 74, *[76] * len(NAMED), 92)
"""By column; the first takes what is left."""
_AROUND = 12
"""Pixels around the words of a cell."""
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """A moment with what it is the highest of, and the point it lies at."""

    title: str
    point: int
    moment: Moment

    @property
    def texts(self) -> tuple[str, ...]:
        """What its cells say."""
        moment = self.moment
        reserved = "" if moment.reserved_bytes is None else format_bytes(moment.reserved_bytes)
        parts = shown(moment.parts, moment.total_bytes)
        return (
            self.title,
            format_count(moment.event),
            format_bytes(moment.total_bytes),
            reserved,
            *map(format_bytes, parts),
        )


def rows(step: Step) -> list[TimelineRow]:
    """The peak, then each phase in order at its own highest."""
    result = [
        TimelineRow(
            translate("Views", "Peak: {title}").format(title=step.peak_moment.title),
            step.peak,
            step.peak_moment,
        )
    ]
    for stretch in step.phases:
        point = step.highest_point(stretch)
        if point is not None:
            result.append(TimelineRow(step.title_at(stretch.left), point, step.moment(point)))
    return result


class TimelineModel(QAbstractTableModel):
    """The rows; the first is the peak."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[TimelineRow] = []

    def show(self, rows: list[TimelineRow]) -> None:
        """Replaces the rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(_HEADINGS) + len(STACKED)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.rows[index.row()].texts[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return _RIGHT
        strong = index.row() == 0 or index.column() == 2
        return fonts.semibold("body") if strong and role == Qt.ItemDataRole.FontRole else None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        part = None if section < len(_HEADINGS) else STACKED[section - len(_HEADINGS)]
        if role == Qt.ItemDataRole.DisplayRole:
            return translate("Views", _HEADINGS[section]) if part is None else short_title(part)
        if role == Qt.ItemDataRole.DecorationRole and part is not None:
            return swatch.icon(part)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole) and part:
            return title_of(part)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section else _LEFT
        return None


class TimelineTable(RowTable):
    """The timeline for those who read rather than look. ``activated`` gives a row's index."""

    def __init__(self, parent: QWidget | None = None) -> None:
        rows, name = TimelineModel(), translate("Views", "Timeline as a table, the peak first")
        super().__init__(name, rows, _WIDTHS, stretched=0, parent=parent)
        self.rows = rows
        self.setAlternatingRowColors(True)
        self.horizontalHeader().setMinimumSectionSize(fonts.scaled(56))

    def show_step(self, step: Step | None) -> None:
        """Shows a step; the chosen row stays chosen."""
        chosen = self.currentIndex().row()
        self.rows.show([] if step is None else rows(step))
        known = step is not None and step.peak_moment.reserved_bytes is not None
        self.setColumnHidden(_RESERVED, not known)
        for place, part in enumerate(STACKED):
            absent = step is not None and not step.parts[place].any()
            self.setColumnHidden(len(_HEADINGS) + place, absent and part in IN_SOME_PLANS)
        if self.rows.rows:
            self.selectRow(max(0, min(chosen, len(self.rows.rows) - 1)))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Where a phase would be cut, the number of its event gives it its room."""
        metrics = QFontMetrics(fonts.semibold("body"))
        widest = max((metrics.horizontalAdvance(row.title) for row in self.rows.rows), default=0)
        event = fonts.scaled(_WIDTHS[_EVENT])
        room = self.columnWidth(0) - (event if self.isColumnHidden(_EVENT) else 0)
        self.setColumnHidden(_EVENT, room < widest + _AROUND)
