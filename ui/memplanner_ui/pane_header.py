"""The header of a side pane: title, a small word beside it, and buttons at the right."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import label, tag

HEIGHT = 33


class PaneHeader(QWidget):
    """Serves as a dock's title bar, so that the dock can be moved by it."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._title = label(title, "heading")
        self._tag = tag("")
        self._tag.hide()
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(14, 0, 8, 1)
        self._line.setSpacing(8)
        self._line.addWidget(self._title)
        self._line.addWidget(self._tag)
        self._line.addStretch(1)

    def set_title(self, title: str, word: str = "", kind: str = "plain") -> None:
        """Shows a title and a word on a ground of its own (``plain``, ``accent``, ``trouble``)."""
        self._title.setText(title)
        self._tag.setText(word)
        self._tag.setVisible(bool(word))
        if self._tag.property("tag") != kind:
            self._tag.setProperty("tag", kind)
            self._tag.style().unpolish(self._tag)
            self._tag.style().polish(self._tag)

    def add_button(self, icon: str, name: str) -> QToolButton:
        """Adds a button with an icon; ``name`` is its tool tip and accessible name."""
        button = QToolButton()
        icons.set_icon(button, icon, "text2")
        button.setIconSize(QSize(16, 16))
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setFixedSize(26, 26)
        self._line.addWidget(button)
        return button

    def sizeHint(self) -> QSize:
        return QSize(200, fonts.scaled(HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(100, fonts.scaled(HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colors.color("panel"))
        bottom = self.rect().bottom()
        painter.fillRect(0, bottom, self.width(), 1, colors.color("hairline"))
        painter.end()
