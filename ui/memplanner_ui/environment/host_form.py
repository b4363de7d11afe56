"""Another machine: its name as ssh knows it, the Python there, and options for ssh."""

from __future__ import annotations

import shlex

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QGridLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from memplanner_ui.engine import Place
from memplanner_ui.engine.place import wrong_host
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import SIDE, label


class HostForm(QWidget):
    """Emits ``checked`` with the ``Place`` it describes when that is to be asked."""

    checked = Signal(object)
    changed = Signal()
    """Something was typed: what is known is of another place."""

    def __init__(self, hosts: list[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.host = QLineEdit()
        self.host.setAccessibleName(translate("Environment", "Host"))
        self.host.setPlaceholderText(
            translate("Environment", "gpu-box, user@gpu-box or ssh://user@gpu-box:2222")
        )
        if hosts:
            self.host.setCompleter(QCompleter(hosts, self.host))
        self.python = QComboBox()
        self.python.setEditable(True)
        self.python.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.python.setAccessibleName(translate("Environment", "Python on that machine"))
        field = self.python.lineEdit()
        assert field is not None
        field.setPlaceholderText(
            translate("Environment", "python3, or a path such as ~/venv/bin/python")
        )
        self.options = QLineEdit()
        self.options.setAccessibleName(translate("Environment", "Options for ssh"))
        self.options.setPlaceholderText(
            translate("Environment", "such as -p 2222 -i ~/.ssh/id_ed25519")
        )
        self.check = QPushButton(translate("Environment", "Check"))
        self.check.setAutoDefault(False)
        self.check.clicked.connect(self._check)
        self.wrong = label("", "secondary", "caution", wrap=True)
        self.wrong.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(SIDE, 10, SIDE, 10)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        rows = (
            (translate("Environment", "Host"), self.host),
            (translate("Environment", "Python there"), self.python),
            (translate("Environment", "ssh options"), self.options),
        )
        for row, (words, widget) in enumerate(rows):
            name = label(words, "body", "secondary")
            name.setBuddy(widget)
            grid.addWidget(name, row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(self.check, 0, 2)
        grid.addWidget(self.wrong, len(rows), 1, 1, 2)
        self.python.setMinimumWidth(fonts.scaled(120))
        self.host.returnPressed.connect(self._check)
        self.options.returnPressed.connect(self._check)
        field.returnPressed.connect(self._check)
        for text in (self.host.textEdited, self.options.textEdited, field.textEdited):
            text.connect(lambda _: self._on_edited())
        self.python.activated.connect(lambda _: self._check())

    def show_place(self, place: Place | None) -> None:
        """Fills the fields with a place; empty for a new one."""
        self.host.setText("" if place is None else place.host)
        self.options.setText("" if place is None else shlex.join(place.options))
        self.python.clear()
        self.python.setCurrentText("" if place is None else place.python)
        self._say("")

    def offer(self, pythons: tuple[str, ...]) -> None:
        """Offers Pythons that were found there; what is typed stays."""
        now = self.python.currentText()
        self.python.clear()
        self.python.addItems(pythons)
        self.python.setCurrentText(now)

    def place(self) -> Place | None:
        """What the fields say; None where ssh would not take it."""
        try:
            options = tuple(shlex.split(self.options.text()))
        except ValueError:
            return None
        host = self.host.text().strip()
        if wrong_host(host):
            return None
        python = self.python.currentText().strip()
        return Place(host=host, python="" if python == "python3" else python, options=options)

    def _check(self) -> None:
        place = self.place()
        if place is not None:
            self._say("")
            self.checked.emit(place)
            return
        wrong = wrong_host(self.host.text().strip())
        self._say(
            wrong
            or translate("Environment", "The options for ssh have a quotation mark without an end.")
        )

    def _on_edited(self) -> None:
        self._say("")
        self.changed.emit()

    def _say(self, words: str) -> None:
        self.wrong.setText(words)
        self.wrong.setVisible(bool(words))
