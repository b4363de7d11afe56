"""What the engine writes that is no message: prints of user code, warnings, traces."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QPlainTextEdit, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts

MOST_LINES = 5000


class EngineLog(QDockWidget):
    """A dock at the bottom, hidden until it is asked for."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(translate("Window", "Engine log"), parent)
        self.setObjectName("engine_log")
        self.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetClosable)
        self.setAllowedAreas(Qt.DockWidgetArea.BottomDockWidgetArea)
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setMaximumBlockCount(MOST_LINES)
        self._text.setFont(fonts.font("mono"))
        self._text.setAccessibleName(translate("Window", "Engine log"))
        self._text.setPlaceholderText(translate("Window", "The engine has written nothing."))
        self.setWidget(self._text)
        self.hide()

    def add(self, line: str) -> None:
        """Adds a line."""
        self._text.appendPlainText(line)

    @property
    def text(self) -> str:
        """Every line kept."""
        return self._text.toPlainText()
