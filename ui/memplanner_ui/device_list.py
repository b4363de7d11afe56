"""The devices one can plan for, in groups, as a list of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from memplanner.messages.device import Device
from memplanner.units import format_bytes
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed

HERE, USED, OTHERS = (
    translatable("Window", "In this machine"),
    translatable("Window", "Used before"),
    translatable("Window", "Plan for another card"),
)
ROW_HEIGHT = 26
_ROW = Qt.ItemDataRole.UserRole
_SIDE, _TICK = 10, 16
_MIDDLE = Qt.AlignmentFlag.AlignVCenter

Index = QModelIndex | QPersistentModelIndex


class Row(NamedTuple):
    """A device, or the heading of those below it."""

    text: str
    device: Device | None = None
    chosen: bool = False

    @property
    def memory(self) -> str:
        """The device's memory in words; empty for a heading."""
        return "" if self.device is None else memory_words(self.device)


def memory_words(device: Device) -> str:
    """A device's memory as it is printed."""
    size = device.memory_bytes
    return translate("Window", "memory not known") if size is None else format_bytes(size)


def matches(device: Device, words: Sequence[str]) -> bool:
    """Whether each of ``words`` (in lower case) is in the device's name, memory or architecture."""
    text = f"{device.name} {memory_words(device)} {device.architecture}".casefold()
    return all(word in text for word in words)


def rows_of(
    devices: Iterable[Device],
    used: Sequence[str],
    chosen: str | None,
    words: str = "",
    here: str = "",
) -> list[Row]:
    """The rows in their groups, each device once; ``used`` and ``chosen`` are selectors.

    With ``words`` only what has all of them is left, and groups without a device are left out.
    Names in which a whole word is met come first in their group.
    """
    parts = words.casefold().split()
    found = list(devices)
    if parts:
        found = [device for device in found if matches(device, parts)]
        found.sort(key=lambda device: -len(set(parts) & set(device.name.casefold().split())))
    places = {selector: place for place, selector in enumerate(used)}
    local = [device for device in found if device.local]
    away = [device for device in found if not device.local]
    before: list[Device] = []
    others: list[Device] = []
    for device in away:
        (before if device.selector in places else others).append(device)
    before.sort(key=lambda device: places[device.selector])
    rows: list[Row] = []
    here = here or translate("Window", HERE)
    for title, group in (
        (here, local),
        (translate("Window", USED), before),
        (translate("Window", OTHERS), others),
    ):
        if group:
            rows.append(Row(title))
            rows += [Row(one.name, one, one.selector == chosen) for one in group]
    return rows


class DeviceRows(QAbstractListModel):
    """The rows shown; headings cannot be selected."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []

    def show(self, rows: list[Row]) -> None:
        """Replaces what is shown."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def device(self, place: int) -> Device | None:
        """The device of a row; None for a heading or outside."""
        return self.rows[place].device if 0 <= place < len(self.rows) else None

    def next_device(self, place: int, steps: int) -> int:
        """The row of the device ``steps`` below (above, if negative), or of the last there is."""
        places = [place for place, row in enumerate(self.rows) if row.device is not None]
        if not places:
            return -1
        now = places.index(place) if place in places else -1 if steps > 0 else len(places)
        return places[max(0, min(len(places) - 1, now + steps))]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.device(index.row()) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            words = (row.text, row.memory, translate("Window", "chosen") if row.chosen else "")
            return ", ".join(word for word in words if word)
        return row if role == _ROW else None


class DeviceDelegate(QStyledItemDelegate):
    """A tick for the chosen one, the name, its memory at the right; headings fainter."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, fonts.scaled(ROW_HEIGHT))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: Row = index.data(_ROW)
        colors, area = theme.current(), QRect(option.rect)
        inner = area.adjusted(_SIDE, 0, -_SIDE, 0)
        painter.save()
        if row.device is None:
            painter.setFont(fonts.semibold("secondary"))
            painter.setPen(colors.color("text3"))
            painter.drawText(inner, int(_MIDDLE), row.text)
        else:
            if option.state & QStyle.StateFlag.State_Selected:
                painter.fillRect(area, colors.color("selection"))
            elif option.state & QStyle.StateFlag.State_MouseOver:
                painter.fillRect(area, colors.color("hover"))
            self._paint_device(painter, inner, row)
        painter.restore()

    @staticmethod
    def _paint_device(painter: QPainter, inner: QRect, row: Row) -> None:
        colors = theme.current()
        if row.chosen:
            top = inner.center().y() - _TICK / 2 + 0.5
            tick = QRectF(inner.left(), top, _TICK, _TICK)
            icons.paint(painter, "check", placed(tick, inner), colors.color("accent"))
        painter.setFont(fonts.font("body"))
        painter.setPen(colors.color("text2"))
        painter.drawText(inner, int(_MIDDLE | Qt.AlignmentFlag.AlignRight), isolated(row.memory))
        room = painter.fontMetrics().horizontalAdvance(row.memory) + 12
        name = inner.adjusted(_TICK + 6, 0, -room, 0)
        painter.setFont(fonts.font("heading" if row.chosen else "body"))
        painter.setPen(colors.color("text"))
        middle = Qt.TextElideMode.ElideMiddle
        text = painter.fontMetrics().elidedText(row.text, middle, name.width())
        painter.drawText(placed(name, inner), int(_MIDDLE), isolated(text))
