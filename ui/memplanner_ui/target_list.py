"""The list of export targets: a mark, the title, and what it says or cannot say."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from memplanner.messages.protocol import Target
from memplanner_ui.language import of_plan, plural, translate
from memplanner_ui.marked_row import DETAIL, MARK, MarkedRow

_NAME = Qt.ItemDataRole.UserRole


class TargetList(QListWidget):
    """Tells which target is looked at."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Window", "Write for"))
        self.setItemDelegate(MarkedRow(self))
        self.setStyleSheet("QListWidget { background: transparent; }")
        self.currentItemChanged.connect(lambda *_: self.chosen.emit(self.current))

    def add(self, target: Target) -> None:
        """Adds a target."""
        item = QListWidgetItem(of_plan(target.title))
        item.setData(_NAME, target.name)
        explanation = of_plan(target.explanation)
        item.setData(DETAIL, explanation)
        item.setToolTip(explanation)
        self.addItem(item)

    @property
    def current(self) -> str:
        """The name of the target that is looked at; empty when there is none."""
        item = self.currentItem()
        return "" if item is None else str(item.data(_NAME))

    @property
    def current_title(self) -> str:
        """Its title."""
        item = self.currentItem()
        return "" if item is None else item.text()

    def show_cannot(self, name: str, count: int) -> None:
        """Says how many things a target cannot say."""
        words = plural(
            "Window", "{count} things it cannot say", "{count} thing it cannot say", count
        ).format(count=count)
        if not count:
            words = translate("Window", "says everything")
        for item in (self.item(row) for row in range(self.count())):
            if item.data(_NAME) == name:
                item.setData(DETAIL, words)
                item.setData(MARK, ("caution", "caution") if count else ("check", "fits"))
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{item.text()}, {words}")
