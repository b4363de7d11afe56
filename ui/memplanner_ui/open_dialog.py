"""Opening a model by name: from Hugging Face, or something importable with its inputs."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import label

_IMPORTABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_INPUT = re.compile(r"\w+=\d+(x\d+)*(:\w+)?")


def is_importable(source: str) -> bool:
    """Whether ``source`` reads as ``package.module:callable``."""
    return not source.startswith("preset:") and _IMPORTABLE.fullmatch(source) is not None


def wrong_input(inputs: tuple[str, ...]) -> str:
    """The first of ``inputs`` that does not read as ``name=2x128:int64``; empty when all do."""
    return next((one for one in inputs if _INPUT.fullmatch(one) is None), "")


class OpenDialog(QDialog):
    """One field for the name; a second one for inputs where the name is importable."""

    chosen = Signal(str, tuple)
    """Source and inputs."""
    plan_wanted = Signal()
    """Rather a plan's file of this machine."""

    def __init__(self, parent: QWidget | None = None, *, machine: str = "") -> None:
        """``machine`` is another one, where the engine runs and paths are looked up."""
        super().__init__(parent)
        self.setWindowTitle(
            translate("Window", "Open on {machine}").format(machine=machine)
            if machine
            else translate("Window", "Open by name")
        )
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.name = QLineEdit()
        names = translate("Window", "org/name, preset:name or package.module:callable")
        self.name.setPlaceholderText(f"/path/on/{machine}, {names}" if machine else names)
        self.name.setAccessibleName(translate("Window", "Name of the model"))
        self.name.textChanged.connect(self._follow)
        told = translate(
            "Window",
            "A Hugging Face name needs the network, or a model that was downloaded before. "
            "Of an importable, the callable is called for the module; its code runs in the "
            "engine process.",
        )
        if machine:
            looked_up = translate("Window", "A path is looked up on {machine}.")
            told = f"{looked_up.format(machine=machine)} {told}"
        about = label(told, "secondary", "faint", wrap=True)
        self.inputs = QLineEdit()
        self.inputs.setPlaceholderText("tokens=2x128:int64 mask=2x128")
        self.inputs.setAccessibleName(translate("Window", "Inputs of the forward"))
        self.inputs.textChanged.connect(self._follow)
        self._inputs_label = QLabel(
            translate("Window", "Inputs of its forward: name=shape:type, with spaces between")
        )
        self._inputs_label.setBuddy(self.inputs)
        self._wrong = label("", "secondary", "caution", wrap=True)
        about.setFixedWidth(fonts.scaled(440))
        self._wrong.setFixedWidth(fonts.scaled(440))
        name_label = QLabel(translate("Window", "Name"))
        name_label.setBuddy(self.name)
        buttons = QDialogButtonBox()
        self.open_button = buttons.addButton(
            translate("Window", "Open"), QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.open_button.setProperty("primary", True)
        cancel = buttons.addButton(
            translate("Window", "Cancel"), QDialogButtonBox.ButtonRole.RejectRole
        )
        cancel.setAutoDefault(False)
        if machine:
            plan = buttons.addButton(
                translate("Window", "A plan here…"), QDialogButtonBox.ButtonRole.ResetRole
            )
            plan.setToolTip(translate("Window", "A plan’s file of this machine"))
            plan.setAutoDefault(False)
            plan.clicked.connect(self._leave_for_plan)
        buttons.accepted.connect(self._choose)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(8)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)  # as its rows come and go
        for widget in (name_label, self.name, about, self._inputs_label, self.inputs, self._wrong):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addWidget(buttons)
        self._follow()

    def _values(self) -> tuple[str, tuple[str, ...]]:
        source = self.name.text().strip()
        inputs = tuple(self.inputs.text().split()) if is_importable(source) else ()
        return source, inputs

    def _follow(self) -> None:
        source, inputs = self._values()
        importable = is_importable(source)
        self.inputs.setVisible(importable)
        self._inputs_label.setVisible(importable)
        wrong = wrong_input(inputs)
        said = translate("Window", "“{wrong}” is no input; write it like tokens=2x128:int64.")
        self._wrong.setText(said.format(wrong=wrong) if wrong else "")
        self._wrong.setVisible(bool(wrong))
        self.open_button.setEnabled(bool(source) and not wrong)

    def _leave_for_plan(self) -> None:
        self.reject()
        self.plan_wanted.emit()

    def _choose(self) -> None:
        source, inputs = self._values()
        if source and not wrong_input(inputs):
            self.chosen.emit(source, inputs)
            self.accept()
