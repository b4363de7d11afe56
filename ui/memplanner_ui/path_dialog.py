"""A path on another machine, where the engine runs: typed, as nothing here can list its files."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import label


class PathDialog(QDialog):
    """One field. The engine says by itself when nothing is there."""

    chosen = Signal(str)

    def __init__(self, title: str, machine: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.path = QLineEdit()
        self.path.setAccessibleName(
            translate("Window", "Path on {machine}").format(machine=machine)
        )
        self.path.setPlaceholderText(translate("Window", "/path/on/that/machine or ~/path"))
        self.path.textChanged.connect(self._follow)
        name = QLabel(translate("Window", "Path on {machine}").format(machine=machine))
        name.setBuddy(self.path)
        about = label(
            translate(
                "Window", "The engine runs on {machine}, so that is where the path is looked up."
            ).format(machine=machine),
            "secondary",
            "faint",
            wrap=True,
        )
        about.setFixedWidth(fonts.scaled(440))
        buttons = QDialogButtonBox()
        self.take = buttons.addButton(
            translate("Window", "Choose"), QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.take.setProperty("primary", True)
        cancel = buttons.addButton(
            translate("Window", "Cancel"), QDialogButtonBox.ButtonRole.RejectRole
        )
        cancel.setAutoDefault(False)
        buttons.accepted.connect(self._choose)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(8)
        for widget in (name, self.path, about):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addWidget(buttons)
        self._follow()

    def _follow(self) -> None:
        self.take.setEnabled(bool(self.path.text().strip()))

    def _choose(self) -> None:
        self.chosen.emit(self.path.text().strip())
        self.accept()
