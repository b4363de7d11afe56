"""What was allocated at a recorded peak, by the lines of code that asked for it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QWidget

from memplanner.messages.snapshot import SnapshotStack
from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translatable, translate
from memplanner_ui.views.row_table import RowTable
from memplanner_ui.views.snapshot_data import where_words

_HEADINGS = (
    translatable("Views", "Allocated"),
    translatable("Views", "Share"),
    translatable("Views", "Allocations"),
    translatable("Views", "Asked for by"),
)
_WIDTHS = (86, 60, 86)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

Index = QModelIndex | QPersistentModelIndex


class SnapshotModel(QAbstractTableModel):
    """A row for each stack, the largest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stacks: Sequence[SnapshotStack] = ()
        self._whole_bytes = 0

    def show(self, stacks: Sequence[SnapshotStack], whole_bytes: int) -> None:
        """Replaces the rows; shares are of ``whole_bytes``."""
        self.beginResetModel()
        self.stacks, self._whole_bytes = stacks, whole_bytes
        self.endResetModel()

    def texts(self, row: int) -> tuple[str, ...]:
        """What the cells of a row say."""
        stack = self.stacks[row]
        share = stack.size_bytes / max(self._whole_bytes, 1)
        count = format_count(stack.count)
        return format_bytes(stack.size_bytes), f"{100 * share:.0f} %", count, where_words(stack)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.stacks)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(_HEADINGS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.texts(index.row())[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(self.stacks[index.row()].frames) or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if index.column() == len(_WIDTHS) else _RIGHT
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return translate("Views", _HEADINGS[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if section == len(_WIDTHS) else _RIGHT
        return None


class SnapshotTable(RowTable):
    """The table, whose last column takes the room that is left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        rows, name = SnapshotModel(), translate("Views", "Largest at the recorded peak")
        super().__init__(name, rows, _WIDTHS, stretched=len(_WIDTHS), parent=parent)
        self.rows = rows
        self.setAlternatingRowColors(True)

    def show_stacks(self, stacks: Sequence[SnapshotStack], whole_bytes: int = 0) -> None:
        """Shows the stacks of a peak of ``whole_bytes``."""
        self.rows.show(stacks, whole_bytes)
