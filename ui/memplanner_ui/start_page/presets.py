"""The presets as cards: a list model, a filter, and the delegate that paints a card."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyleOptionViewItem, QWidget

from memplanner.messages.protocol import Preset
from memplanner.units import format_bytes, format_parameters
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed
from memplanner_ui.start_page.cards import Card, CardList

BYTES_A_PARAMETER = 2
"""Of weights in bf16."""

_PRESET = Qt.ItemDataRole.UserRole
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
            return translate(
                "Start page", "{title} by {publisher}, {parameters} parameters"
            ).format(
                title=preset.title,
                publisher=preset.publisher,
                parameters=format_parameters(preset.parameters),
            )
        if role == Qt.ItemDataRole.ToolTipRole:
            return translate("Start page", "{class_name}, preset:{name}").format(
                class_name=preset.class_name, name=preset.name
            )
        return preset if role == _PRESET else None


class PresetCard(Card):
    """Name, publisher, size, and the weights in bf16 against the device."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.memory_bytes: int | None = None

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        preset: Preset = index.data(_PRESET)
        colors = theme.current()
        painter.save()
        inner = self.ground(painter, option)
        row = fonts.scaled(18)
        right, left = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft
        middle = Qt.AlignmentFlag.AlignVCenter
        line = QRect(inner.left(), inner.top(), inner.width(), row)
        painter.setFont(fonts.font("body"))
        painter.setPen(colors.color("text2"))
        count = format_parameters(preset.parameters)
        painter.drawText(line, int(right | middle), isolated(count))
        room = line.width() - QFontMetrics(painter.font()).horizontalAdvance(count) - 10
        painter.setFont(fonts.font("heading"))
        painter.setPen(colors.color("text"))
        title = painter.fontMetrics().elidedText(preset.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(line, int(left | middle), isolated(title))
        line.translate(0, row - 1)
        painter.setFont(fonts.font("secondary"))
        painter.setPen(colors.color("text2"))
        painter.drawText(line, int(left | middle), preset.publisher)
        weights = preset.parameters * BYTES_A_PARAMETER
        line.translate(0, row + 12)
        self._paint_bar(painter, QRect(inner.left(), line.top() - 8, inner.width(), 5), weights)
        painter.setPen(colors.color("text2"))
        painter.drawText(
            line,
            int(left | middle),
            translate("Start page", "Weights {weights} in bf16").format(
                weights=format_bytes(weights)
            ),
        )
        painter.restore()

    def _paint_bar(self, painter: QPainter, area: QRect, weights: int) -> None:
        colors = theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(area, colors.color("hairline"))
        if self.memory_bytes:
            share = weights / self.memory_bytes
            bar = QRect(area)
            bar.setWidth(max(1, round(area.width() * min(1.0, share))))
            painter.fillRect(placed(bar, area), colors.color("trouble" if share > 1 else "text2"))


class PresetList(CardList):
    """The presets; Enter or a click opens one."""

    chosen = Signal(str)
    """A source, such as ``preset:gpt2``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.cards = PresetModel()
        self.card = PresetCard()
        super().__init__(
            translate("Start page", "Presets"), self.cards, self.card, fonts.scaled(98), parent
        )
        self.cards.setParent(self)
        self.card.setParent(self)

    def set_memory(self, memory_bytes: int | None) -> None:
        """The memory that bars are drawn against."""
        self.card.memory_bytes = memory_bytes
        self.viewport().update()

    def choose(self, index: QModelIndex) -> None:
        """Emits ``chosen`` with the source of a row."""
        preset: Preset = index.data(_PRESET)
        self.chosen.emit(f"preset:{preset.name}")
