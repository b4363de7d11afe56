"""The table at the end of a run: predicted against measured, by category and by phase."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from memplanner.messages.estimate import CATEGORIES
from memplanner.messages.run import RunFigures, RunResult
from memplanner.units import NOTHING, format_bytes, format_difference
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed
from memplanner_ui.views import swatch
from memplanner_ui.views.parts import PHASES, color_of, exact, phase_title, title_of
from memplanner_ui.views.row_table import RowTable

Index = QModelIndex | QPersistentModelIndex

CAUTION = 0.03
"""An error of this size and more is shown in the caution colour."""
ROW_HEIGHT = 24
_LEAST_SHARE = 1000
"""A difference below one part in this of the peak is not marked as an error."""
_FULL_BAR = 0.12
_TITLES = (
    translatable("Views", "Category"),
    translatable("Views", "Predicted"),
    translatable("Views", "Measured"),
    translatable("Views", "Difference"),
    translatable("Views", "Error"),
    "",
)
_ERROR_BAR = 5
_WIDTHS = (210, 96, 96, 96, 84)
_ROOT = QModelIndex()
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter)
_RIGHT = _MIDDLE | int(Qt.AlignmentFlag.AlignRight)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. ``part`` names its swatch; ``strong`` is a sum; sizes may be unknown."""

    title: str
    predicted_bytes: int | None
    measured_bytes: int | None
    part: str = ""
    strong: bool = False
    heading: bool = False
    least_bytes: int = 0
    """A smaller difference is nothing to look at, whatever its share of a small category."""

    @property
    def off_bytes(self) -> int:
        """How far apart the two sizes are; zero where one is not known."""
        if self.predicted_bytes is None or self.measured_bytes is None:
            return 0
        return abs(self.predicted_bytes - self.measured_bytes)

    @property
    def large(self) -> bool:
        """Whether the error is one to look at."""
        error = self.error
        return (
            error is not None
            and round(abs(error), 3) >= CAUTION
            and self.off_bytes >= self.least_bytes
        )

    @property
    def error(self) -> float | None:
        """(predicted − measured) / measured; None where there is nothing to divide by."""
        if self.predicted_bytes is None or not self.measured_bytes:
            return None
        return (self.predicted_bytes - self.measured_bytes) / self.measured_bytes


def rows(result: RunResult) -> list[Row]:
    """The table of ``result``: categories that either side has, sums, then phases."""
    predicted, measured = result.predicted, result.measured
    whole = (
        translate("Views", "Process memory")
        if result.device.kind == "cpu"
        else translate("Views", "Whole device")
    )
    found = []
    for name in CATEGORIES:
        sides = [getattr(predicted.by_category, name)]
        sides.append(getattr(measured.by_category, name) if measured is not None else 0)
        if any(sides):
            known = sides[1] if measured is not None else None
            part, least = color_of(name), predicted.allocated_bytes // _LEAST_SHARE
            found.append(Row(title_of(name), sides[0], known, part, least_bytes=least))
    found.append(
        _sum(translate("Views", "Allocated at the peak"), predicted, measured, "allocated_bytes")
    )
    for title, field in (
        (translate("Views", "Reserved"), "reserved_bytes"),
        (whole, "device_bytes"),
    ):
        row = _sum(title, predicted, measured, field)
        if row.predicted_bytes is not None or row.measured_bytes is not None:
            found.append(row)
    phases = [name for name in PHASES if name in predicted.by_phase]
    if measured is not None:
        phases += [name for name in PHASES if name in measured.by_phase and name not in phases]
    if phases:
        found.append(Row(translate("Views", "Highest in each phase"), None, None, heading=True))
    for name in phases:
        known = None if measured is None else measured.by_phase.get(name)
        found.append(Row(phase_title(name), predicted.by_phase.get(name), known))
    if result.ranks:
        found.append(
            Row(translate("Views", "Allocated at the peak of each rank"), None, None, heading=True)
        )
    staged = any(rank.stage for rank in result.ranks)
    for rank in result.ranks:
        title = (
            translate("Views", "Rank {rank}, stage {stage}").format(
                rank=rank.rank, stage=rank.stage
            )
            if staged
            else translate("Views", "Rank {rank}").format(rank=rank.rank)
        )
        known = None if rank.measured is None else rank.measured.allocated_bytes
        found.append(Row(title, rank.predicted.allocated_bytes, known))
    return found


def _sum(title: str, predicted: RunFigures, measured: RunFigures | None, field: str) -> Row:
    known = None if measured is None else getattr(measured, field)
    return Row(title, getattr(predicted, field), known, strong=True)


def largest_difference(result: RunResult) -> Row | None:
    """The category whose prediction is off by the most bytes; None when none is."""
    if result.measured is None:
        return None

    named = [row for row in rows(result) if row.part]
    worst = max(named, key=lambda row: row.off_bytes, default=None)
    return worst if worst is not None and worst.off_bytes else None


def percent(error: float | None) -> str:
    """``−1.5 %``; a dash where there is no error to speak of."""
    if error is None:
        return NOTHING
    text = f"{abs(error) * 100:.1f} %"
    if text == "0.0 %":
        return text
    return ("−" if error < 0 else "+") + text


class ComparisonModel(QAbstractTableModel):
    """The rows of one result."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []

    def set_rows(self, rows: list[Row]) -> None:
        """Shows ``rows``."""
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    @property
    def lines(self) -> tuple[Row, ...]:
        """Every row, in order."""
        return tuple(self._rows)

    def row(self, index: Index) -> Row:
        """The row of ``index``."""
        return self._rows[index.row()]

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return len(_TITLES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            title = _TITLES[section] and translate("Views", _TITLES[section])
            return f"   {title}" if section == 0 else title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self.text(row, column) or percent(row.error)
        if role == Qt.ItemDataRole.ToolTipRole and column in (1, 2):
            size = row.predicted_bytes if column == 1 else row.measured_bytes
            return None if size is None else exact(size)
        return None

    @staticmethod
    def text(row: Row, column: int) -> str:
        """What a cell says."""
        if column == 0:
            return row.title
        if row.heading or column == _ERROR_BAR:
            return ""
        if column in (1, 2):
            size = row.predicted_bytes if column == 1 else row.measured_bytes
            return NOTHING if size is None else format_bytes(size)
        if column == 3:
            if row.predicted_bytes is None or row.measured_bytes is None:
                return NOTHING
            return format_difference(row.measured_bytes, row.predicted_bytes)
        return percent(row.error)


class _Delegate(QStyledItemDelegate):
    """Paints a row: swatch and title, numbers, and the error as a bar to its side."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(60, fonts.scaled(ROW_HEIGHT))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        if not isinstance(model, ComparisonModel):
            return
        row, column, colors = model.row(index), index.column(), theme.current()
        area = QRectF(option.rect)
        if row.strong:
            painter.fillRect(area, colors.color("panel"))
        if column == _ERROR_BAR:
            self._paint_bar(painter, area, row)
            return
        text = model.text(row, column)
        strong = row.strong or row.heading
        painter.setFont(fonts.semibold("body") if strong else fonts.font("body"))
        ink = "text2" if row.heading or column == 3 else "text"
        if text == NOTHING:
            ink = "text3"
        if row.large and column == 4:
            ink = "caution"
        painter.setPen(colors.color(ink))
        if column == 0:
            inset = 16.0
            if row.part:
                top = area.center().y() - swatch.SIZE / 2
                square = QRectF(area.left() + 16, top, swatch.SIZE, swatch.SIZE)
                swatch.paint(painter, placed(square, area), row.part)
                inset += 17
            painter.drawText(placed(area.adjusted(inset, 0, 0, 0), area), _MIDDLE, text)
        else:
            painter.drawText(placed(area.adjusted(0, 0, -8, 0), area), _RIGHT, isolated(text))

    @staticmethod
    def _paint_bar(painter: QPainter, area: QRectF, row: Row) -> None:
        if row.heading or row.error is None:
            return
        colors = theme.current()
        width = min(area.width() - 32, 120.0)
        middle = round(area.left() + 16 + width / 2)
        painter.fillRect(QRectF(middle, area.center().y() - 6, 1, 12), colors.color("border"))
        share = max(-1.0, min(1.0, row.error / _FULL_BAR))
        length = share * width / 2
        if abs(length) >= 0.5:
            left = middle if length > 0 else middle + length
            bar = QRectF(left, area.center().y() - 3, abs(length), 6)
            painter.fillRect(bar, colors.color("caution" if row.large else "text3"))


class ComparisonTable(RowTable):
    """Predicted against measured; the error is (predicted − measured) / measured."""

    def __init__(self, parent: QWidget | None = None) -> None:
        rows, name = ComparisonModel(), translate("Views", "Predicted against measured")
        super().__init__(
            name, rows, _WIDTHS, stretched=_ERROR_BAR, row_height=ROW_HEIGHT, parent=parent
        )
        self._model = rows
        self._delegate = _Delegate(self)
        self.setItemDelegate(self._delegate)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.verticalHeader().setMinimumSectionSize(fonts.scaled(20))

    def set_result(self, result: RunResult | None) -> None:
        """Shows the table of ``result``."""
        self._model.set_rows([] if result is None else rows(result))
        words = (
            ""
            if result is None
            else translate("Views", "error of the allocated peak {error}").format(
                error=percent(result.error)
            )
        )
        self.setAccessibleDescription(words)

    @property
    def lines(self) -> tuple[Row, ...]:
        """Every row, in order."""
        return self._model.lines

    def full_height(self) -> int:
        """The height that shows every row."""
        rows = self._model.rowCount() * self.verticalHeader().defaultSectionSize()
        return rows + self.horizontalHeader().sizeHint().height() + 4

    def text_of(self, row: int, column: int) -> str:
        """What a cell says."""
        return str(self._model.index(row, column).data())
