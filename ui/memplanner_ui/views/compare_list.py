"""The plans that can be compared: the open one, then those that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionButton,
    QStyleOptionViewItem,
    QWidget,
)

from memplanner.report.differences import letter
from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed
from memplanner_ui.look.wrapping import parts_in_lines
from memplanner_ui.views import compare_letter

ROW, LINE = 44, 16
"""Height of a row, and what a second line of its name adds."""
_LINES = 2
"""Of a name, which says what the plan changes."""
_BOX_WIDTH = 36
"""Of the check box with the room around it, all of which takes the press."""
_ENTRY = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the list. The open plan's ``key`` is empty; others have their name."""

    key: str
    title: str
    detail: str
    peak: str = ""
    place: int | None = None
    """Among those that are shown."""
    pinned: bool = False
    trouble: bool = False


def _title(entry: Entry, width: int) -> list[str]:
    """The lines of an entry's name in a row of ``width`` pixels."""
    room = width - fonts.scaled(_BOX_WIDTH) - 12 - fonts.scaled(compare_letter.SIZE) - 8
    return parts_in_lines(entry.title, fonts.font("body"), room, _LINES)


class _Row(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        plans = self.parent()  # kept here, only garbage collection would take the two apart
        assert isinstance(plans, PlanList)
        more = len(_title(index.data(_ENTRY), plans.viewport().width())) - 1
        return QSize(120, fonts.scaled(ROW) + max(0, more) * fonts.scaled(LINE))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colors, entry = theme.current(), index.data(_ENTRY)
        area: QRect = option.rect
        painter.save()
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(area, colors.color("selection"))
            edge = QRect(area.left(), area.top(), 2, area.height())
            painter.fillRect(placed(edge, area), colors.color("accent"))
        self._paint_box(painter, option, entry, area)
        size, left = fonts.scaled(compare_letter.SIZE), area.left() + fonts.scaled(_BOX_WIDTH)
        right = area.right() - 12
        if entry.place is not None:
            chip = QRectF(right - size + 1, area.top() + 4, size, size)
            compare_letter.paint(painter, placed(chip, area), entry.place)
        elif entry.pinned:
            pin = QRectF(right - 15, area.top() + 5, 16, 16)
            icons.paint(painter, "pin", placed(pin, area), colors.color("text3"))
        flags = int(Qt.AlignmentFlag.AlignVCenter)
        line, half = fonts.scaled(LINE), fonts.scaled(ROW) // 2
        room = right - size - 8 - left
        painter.setFont(fonts.font("body"))
        painter.setPen(colors.color("text"))
        for number, text in enumerate(_title(entry, area.width())):
            row = QRect(left, area.top() + 1 + number * line, room, half)
            painter.drawText(placed(row, area), flags, isolated(text))
        below = area.bottom() + 1 - half - 1
        painter.setFont(fonts.font("secondary"))
        width = painter.fontMetrics().horizontalAdvance(entry.peak)
        painter.setPen(colors.color("text2"))
        peak = QRect(right - width, below, width + 2, half)
        painter.drawText(placed(peak, area), flags, isolated(entry.peak))
        painter.setPen(colors.color("trouble" if entry.trouble else "text3"))
        room = right - width - 8 - left
        shown = painter.fontMetrics().elidedText(entry.detail, Qt.TextElideMode.ElideRight, room)
        painter.drawText(placed(QRect(left, below, room, half), area), flags, isolated(shown))
        painter.restore()

    def _paint_box(
        self, painter: QPainter, option: QStyleOptionViewItem, entry: Entry, area: QRect
    ) -> None:
        """The check box; a plan that cannot be read has none."""
        if entry.trouble:
            return
        box = QStyleOptionButton()
        side = fonts.scaled(16)
        place = QRect(area.left() + 12, area.center().y() - side // 2, side, side)
        box.rect = placed(place, area).toRect()
        on = entry.place is not None
        box.state = QStyle.StateFlag.State_Enabled | (
            QStyle.StateFlag.State_On if on else QStyle.StateFlag.State_Off
        )
        widget = self.parent()
        if isinstance(widget, QWidget):
            element = QStyle.PrimitiveElement.PE_IndicatorItemViewItemCheck
            widget.style().drawPrimitive(element, box, painter, widget)


class PlanList(QListWidget):
    """A press on the box, or Space, shows a plan or takes it out; Return uses it."""

    toggled = Signal(str)
    use_wanted = Signal(str)
    menu_wanted = Signal(str, QPoint)
    rename_wanted = Signal(str)
    delete_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Views", "Plans to compare"))
        self.setItemDelegate(_Row(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setStyleSheet("QListWidget { background: transparent; }")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)
        self.itemClicked.connect(self._click)
        self.itemActivated.connect(lambda item: self.use_wanted.emit(item.data(_ENTRY).key))
        self._pressed_x = 0.0

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Lists plans; the one with the cursor keeps it."""
        now = self.current_key()
        self.clear()
        for entry in entries:
            item = QListWidgetItem(entry.title)
            item.setData(_ENTRY, entry)
            item.setToolTip(f"{entry.title}\n{entry.detail}")
            state = (
                translate("Views", "not shown")
                if entry.place is None
                else translate("Views", "shown as {letter}").format(letter=letter(entry.place))
            )
            told = filter(None, (entry.title, entry.detail, entry.peak, state))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join(told))
            self.addItem(item)
            if entry.key == now:
                self.setCurrentItem(item)
        if self.currentItem() is None and self.count():
            self.setCurrentRow(0)

    def current_key(self) -> str | None:
        """The key of the plan with the cursor; empty for the open plan."""
        item = self.currentItem()
        return None if item is None else str(item.data(_ENTRY).key)

    def select(self, key: str) -> None:
        """Puts the cursor on a plan."""
        for row in range(self.count()):
            if self.item(row).data(_ENTRY).key == key:
                self.setCurrentRow(row)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_x = event.position().x()
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.position().x() < fonts.scaled(_BOX_WIDTH):
            self.mousePressEvent(event)  # a second press on the box, and no wish to use the plan
        else:
            super().mouseDoubleClickEvent(event)

    def _click(self, item: QListWidgetItem) -> None:
        if self._pressed_x < fonts.scaled(_BOX_WIDTH):
            self.toggled.emit(item.data(_ENTRY).key)

    def _open_menu(self, at: QPoint) -> None:
        item = self.itemAt(at) or self.currentItem()
        if item is not None:
            self.menu_wanted.emit(item.data(_ENTRY).key, self.viewport().mapToGlobal(at))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = self.current_key()
        wanted = {
            Qt.Key.Key_Space: self.toggled,
            Qt.Key.Key_F2: self.rename_wanted,
            Qt.Key.Key_Delete: self.delete_wanted,
        }.get(Qt.Key(event.key()))
        if key is None or wanted is None:
            super().keyPressEvent(event)
        else:
            wanted.emit(key)
