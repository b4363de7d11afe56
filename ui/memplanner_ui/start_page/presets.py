"""The presets as cards: a list model, a filter, and the delegate that paints a card."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from memplanner.messages.protocol import Preset
from memplanner.units import format_bytes, format_parameters
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts

BYTES_A_PARAMETER = 2
"""Of weights in bf16."""

_PRESET = Qt.ItemDataRole.UserRole
_GAP = 10
_NARROWEST = 240
_WIDEST = 360

Index = QModelIndex | QPersistentModelIndex


def matching(presets: Sequence[Preset], family: str, words: str) -> list[Preset]:
    """The presets of a family (empty: all) that contain every one of ``words``."""
    parts = words.casefold().split()
    return [
        preset
        for preset in presets
        if (not family or preset.family == family)
        and all(
            part
            in f"{preset.title} {preset.name} {preset.publisher} {preset.class_name}".casefold()
            for part in parts
        )
    ]


class PresetModel(QAbstractListModel):
    """The presets shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.presets: list[Preset] = []

    def show(self, presets: list[Preset]) -> None:
        """Replaces what is shown."""
        self.beginResetModel()
        self.presets = presets
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.presets)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        preset = self.presets[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return preset.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return (
                f"{preset.title} by {preset.publisher}, "
                f"{format_parameters(preset.parameters)} parameters"
            )
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{preset.class_name}, preset:{preset.name}"
        return preset if role == _PRESET else None


class PresetCard(QStyledItemDelegate):
    """Name, publisher, size, and the weights in bf16 against the device."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.memory_bytes: int | None = None
        self.size = QSize(_NARROWEST, 100)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        preset: Preset = index.data(_PRESET)
        colors = theme.current()
        whole: QRect = option.rect
        state = option.state
        area = whole.adjusted(0, 0, -_GAP, -_GAP)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.color("accent" if focused else "border"), 2 if focused else 1))
        painter.setBrush(colors.color("hover" if hovered else "raised"))
        painter.drawRoundedRect(QRectF(area).adjusted(1, 1, -1, -1), 7, 7)
        inner = area.adjusted(13, 10, -13, -10)
        row = fonts.scaled(18)
        right, left = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft
        middle = Qt.AlignmentFlag.AlignVCenter
        line = QRect(inner.left(), inner.top(), inner.width(), row)
        painter.setFont(fonts.font("body"))
        painter.setPen(colors.color("text2"))
        count = format_parameters(preset.parameters)
        painter.drawText(line, int(right | middle), count)
        room = line.width() - QFontMetrics(painter.font()).horizontalAdvance(count) - 10
        painter.setFont(fonts.font("heading"))
        painter.setPen(colors.color("text"))
        title = painter.fontMetrics().elidedText(preset.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(line, int(left | middle), title)
        line.translate(0, row - 1)
        painter.setFont(fonts.font("secondary"))
        painter.setPen(colors.color("text2"))
        painter.drawText(line, int(left | middle), preset.publisher)
        weights = preset.parameters * BYTES_A_PARAMETER
        line.translate(0, row + 12)
        self._paint_bar(painter, QRect(inner.left(), line.top() - 8, inner.width(), 5), weights)
        painter.setPen(colors.color("text2"))
        painter.drawText(line, int(left | middle), f"Weights {format_bytes(weights)} in bf16")
        painter.restore()

    def _paint_bar(self, painter: QPainter, area: QRect, weights: int) -> None:
        colors = theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(area, colors.color("hairline"))
        if self.memory_bytes:
            share = weights / self.memory_bytes
            bar = QRect(area)
            bar.setWidth(max(1, round(area.width() * min(1.0, share))))
            painter.fillRect(bar, colors.color("trouble" if share > 1 else "text2"))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self.size


class PresetList(QListView):
    """Cards in as many columns as there is room for; Enter or a click opens one."""

    chosen = Signal(str)
    """A source, such as ``preset:gpt2``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards = PresetModel(self)
        self.card = PresetCard(self)
        self.setModel(self.cards)
        self.setItemDelegate(self.card)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSpacing(0)
        self.setMouseTracking(True)
        self.setProperty("ownFocusRing", True)  # the focused card has it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Presets")
        self.setStyleSheet("QListView { background: transparent; border: none; }")
        self.clicked.connect(self._choose)

    def set_memory(self, memory_bytes: int | None) -> None:
        """The memory that bars are drawn against."""
        self.card.memory_bytes = memory_bytes
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        room = self.viewport().width() - 4
        columns = max(1, min(3, room // _NARROWEST) if room < 4 * _WIDEST else room // _WIDEST)
        self.card.size = QSize(room // columns, fonts.scaled(98))
        self.setGridSize(self.card.size)
        super().resizeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._choose(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _choose(self, index: Index) -> None:
        preset: Preset = index.data(_PRESET)
        self.chosen.emit(f"preset:{preset.name}")
