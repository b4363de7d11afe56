"""The palette: every command, module and option of the plan by name (Ctrl K)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated

MOST_SHOWN = 200
_ENTRY = Qt.ItemDataRole.UserRole

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can be chosen: ``kind`` is its group (command, option, module)."""

    kind: str
    text: str
    detail: str
    choose: Callable[[], object]


def ranked(entries: Iterable[Entry], words: str) -> list[Entry]:
    """The entries in which every one of ``words`` is found, the closest first.

    Closest: the text begins with the words, then a word in it does, then anything else; shorter
    texts before longer ones.
    """
    parts = words.casefold().split()
    if not parts:
        return list(entries)[:MOST_SHOWN]
    found = []
    for place, entry in enumerate(entries):
        text = entry.text.casefold()
        whole = f"{text} {entry.detail.casefold()} {entry.kind}"
        if all(part in whole for part in parts):
            starts = text.startswith(parts[0])
            word = any(piece.startswith(parts[0]) for piece in text.replace(".", " ").split())
            rank = 0 if starts else 1 if word else 2
            found.append((rank, len(text), place, entry))
    found.sort(key=lambda one: one[:3])
    return [entry for *_, entry in found[:MOST_SHOWN]]


class Entries(QAbstractListModel):
    """The entries that match."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.shown: list[Entry] = []

    def show(self, entries: list[Entry]) -> None:
        """Replaces what is shown."""
        self.beginResetModel()
        self.shown = entries
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self.shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.text}, {entry.detail or entry.kind}"
        return entry if role == _ENTRY else None


class _Row(QStyledItemDelegate):
    """Text at the left, detail in faint ink at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, fonts.scaled(26))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry = index.data(_ENTRY)
        colors = theme.current()
        area: QRect = option.rect
        state = option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, colors.color("selection"))
        inner = area.adjusted(12, 0, -12, 0)
        painter.setFont(fonts.font("secondary"))
        painter.setPen(colors.color("text3"))
        detail = entry.detail or entry.kind
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inner, int(middle | Qt.AlignmentFlag.AlignRight), isolated(detail))
        room = inner.width() - QFontMetrics(painter.font()).horizontalAdvance(detail) - 16
        painter.setFont(fonts.font("mono" if entry.kind == "module" else "body"))
        painter.setPen(colors.color("text"))
        text = painter.fontMetrics().elidedText(entry.text, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(inner, int(middle | Qt.AlignmentFlag.AlignLeft), isolated(text))
        painter.restore()


class Palette(QFrame):
    """A pop-up with a field and a list; Enter chooses, Escape closes."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "panel")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName(translate("Window", "Commands, modules and options"))
        self.field = QLineEdit()
        self.field.setPlaceholderText(translate("Window", "Search commands, modules and options"))
        self.field.setAccessibleName(translate("Window", "Search commands, modules and options"))
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self._entries: Sequence[Entry] = ()
        self._model = Entries(self)
        self.list = QListView()
        self.list.setModel(self._model)
        self.list.setItemDelegate(_Row(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setAccessibleName(translate("Window", "Matches"))
        self.list.clicked.connect(lambda index: self._choose(index.row()))
        self._none = QLabel(translate("Window", "Nothing has these words."))
        self._none.setProperty("ink", "faint")
        self._none.setContentsMargins(6, 0, 6, 4)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.field)
        column.addWidget(self.list, 1)
        column.addWidget(self._none)

    def open_over(self, place: QRect, entries: Sequence[Entry]) -> None:
        """Opens at ``place`` (global) with ``entries``."""
        self._entries = entries
        self.setGeometry(place)
        self.field.clear()
        self._search("")
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _search(self, words: str) -> None:
        self._model.show(ranked(self._entries, words))
        none = not self._model.shown
        self._none.setVisible(none)
        if not none:
            self.list.setCurrentIndex(self._model.index(0))

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self._model.shown):
            entry = self._model.shown[row]
            self.close()
            entry.choose()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            watched is self.field
            and isinstance(event, QKeyEvent)
            and (event.type() == QEvent.Type.KeyPress)
        ):
            key = event.key()
            row = self.list.currentIndex().row()
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(row)
                return True
            steps = {
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_PageDown: 10,
                Qt.Key.Key_PageUp: -10,
            }
            if key in steps:
                last = len(self._model.shown) - 1
                self.list.setCurrentIndex(
                    self._model.index(max(0, min(last, row + steps[Qt.Key(key)])))
                )
                return True
        return super().eventFilter(watched, event)
