"""The status bar's words about the engine, as a way to choose another."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts


class EngineButton(QPushButton):
    """Flat, and as wide as its words; where there is less room they are cut at their end."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFlat(True)
        self.setAccessibleName(translate("Environment", "Engine"))
        self.setFont(fonts.font("secondary"))
        self.setFixedHeight(fonts.scaled(22))
        self.setStyleSheet("min-height: 0; padding: 0 8px;")
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def say(self, words: str, tip: str) -> None:
        """Shows the words, and the tip below the mouse."""
        if (words, tip) == (self.text(), self.toolTip()):
            return
        self.setText(words)
        self.setToolTip(tip)
        self.setAccessibleName(words or translate("Environment", "Engine"))
        self.setAccessibleDescription(tip)
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        return QSize(fonts.scaled(60), super().minimumSizeHint().height())
