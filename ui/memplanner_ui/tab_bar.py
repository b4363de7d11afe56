"""The tabs over the views, on a line that ends at the chosen one."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QTabBar, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme


class ViewTabs(QTabBar):
    """A ``QTabBar`` in document mode whose tabs have names in their data."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDocumentMode(True)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def index_of(self, name: str) -> int | None:
        """The place of the tab called ``name``."""
        for index in range(self.count()):
            if self.tabData(index) == name:
                return index
        return None

    def mark(self, name: str, marked: bool) -> None:
        """Puts a dot beside a tab's title: something goes on there."""
        index = self.index_of(name)
        if index is None:
            return
        dot = None
        if marked:
            dot = QLabel("●")
            dot.setProperty("ink", "accent")
            dot.setAccessibleName(translate("Window", "running"))
        old = self.tabButton(index, QTabBar.ButtonPosition.RightSide)
        self.setTabButton(index, QTabBar.ButtonPosition.RightSide, dot)
        if old is not None:
            old.deleteLater()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        chosen = self.tabRect(self.currentIndex())
        color = theme.current().color("border")
        bottom = self.height() - 1
        painter.fillRect(0, bottom, chosen.left(), 1, color)
        painter.fillRect(chosen.right() + 1, bottom, self.width() - chosen.right(), 1, color)
        painter.end()
