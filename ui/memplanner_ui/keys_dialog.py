"""The keys of every command: listed, found, changed."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from memplanner_ui.actions import ACTIONS, Declared, words_of
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.shortcuts import Shortcuts, native, refusal
from memplanner_ui.views.figures_table import FiguresTable
from memplanner_ui.views.rows import label

_TITLES = (
    translatable("Window", "Command"),
    translatable("Window", "Menu"),
    translatable("Window", "Keys"),
)
_TEXTS = {declared.name: declared.text for declared in ACTIONS}


class KeysDialog(QDialog):
    """A row for each command; the keys pressed below the list become those of the chosen one."""

    def __init__(self, shortcuts: Shortcuts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("Window", "Keys"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._shortcuts = shortcuts
        self._shown: list[Declared] = []
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(translate("Window", "Filter commands or keys"))
        self.filter.setAccessibleName(translate("Window", "Filter commands or keys"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._fill)
        self.table = FiguresTable(
            translate("Window", "Commands and their keys"), words=len(_TITLES)
        )
        self.table.set_titles([translate("Window", title) for title in _TITLES])
        self.table.setTabKeyNavigation(False)
        self.table.setSelectionMode(FiguresTable.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionsClickable(False)
        header.resizeSection(1, fonts.scaled(84))
        header.resizeSection(2, fonts.scaled(170))
        self.table.itemSelectionChanged.connect(self._show_chosen)
        self.field = QKeySequenceEdit()
        self.field.setMaximumSequenceLength(1)
        self.field.setClearButtonEnabled(True)
        self.field.setAccessibleName(translate("Window", "New keys"))
        self.field.keySequenceChanged.connect(lambda _: self._judge())
        self.table.itemActivated.connect(lambda _: self.field.setFocus())
        self.assign = self._button(translate("Window", "Assign"), self._assign)
        self.remove = self._button(translate("Window", "Remove"), lambda: self._choose(""))
        self.reset = self._button(translate("Window", "Reset"), self._reset)
        self.reset_all = self._button(translate("Window", "Reset all"), shortcuts.reset_all)
        self.words = label("", "secondary", wrap=True)
        self._lay_out()
        shortcuts.changed.connect(self._fill)
        self._fill()
        self.table.selectRow(0)
        self.filter.setFocus()

    def _button(self, text: str, done: object) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(done)
        return button

    def _lay_out(self) -> None:
        close = self._button(translate("Window", "Close"), self.accept)
        choice = QHBoxLayout()
        choice.setSpacing(8)
        choice.addWidget(self.field, 1)
        for button in (self.assign, self.remove, self.reset):
            choice.addWidget(button)
        end = QHBoxLayout()
        end.addWidget(self.reset_all)
        end.addStretch(1)
        end.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(8)
        column.addWidget(self.filter)
        column.addWidget(self.table, 1)
        column.addLayout(choice)
        column.addWidget(self.words)
        column.addSpacing(4)
        column.addLayout(end)
        self.resize(fonts.scaled(560), fonts.scaled(520))

    @property
    def chosen(self) -> str | None:
        """The name of the action whose row is chosen."""
        row = self.table.currentRow()
        return self._shown[row].name if 0 <= row < len(self._shown) else None

    def choose(self, name: str) -> None:
        """Chooses an action's row, if the filter shows it."""
        for row, declared in enumerate(self._shown):
            if declared.name == name:
                self.table.selectRow(row)

    def _fill(self) -> None:
        chosen = self.chosen
        words = self.filter.text().casefold().split()
        self._shown = [
            declared
            for declared in ACTIONS
            if all(part in " ".join(self._cells(declared)).casefold() for part in words)
        ]
        self.table.set_rows([self._cells(declared) for declared in self._shown])
        if chosen is not None:
            self.choose(chosen)
        self._show_chosen()

    def _cells(self, declared: Declared) -> tuple[str, str, str]:
        keys = ", ".join(map(native, self._shortcuts.keys_of(declared.name)))
        return _text(declared.name), words_of(declared.menu), keys

    def _show_chosen(self) -> None:
        name = self.chosen
        keys = self._shortcuts.keys_of(name) if name else ()
        self.field.setEnabled(name is not None)
        self.field.setKeySequence(QKeySequence(keys[0] if keys else ""))
        self.remove.setEnabled(bool(keys))
        self.reset.setEnabled(name is not None and self._shortcuts.is_own(name))
        self._judge()

    def _judge(self) -> None:
        """Says what assigning the pressed keys would do, and whether it can be done."""
        name, keys = self.chosen, self.field.keySequence().toString()
        said = refusal(keys) if name else translate("Window", "Choose a command above.")
        fine = not said
        if fine and name and self._shortcuts.keys_of(name) == (keys,):
            said, fine = (
                translate("Window", "{command} has these keys.").format(command=_text(name)),
                False,
            )
        elif fine and name:
            holder = self._shortcuts.holder_of(keys, but=name)
            if holder is not None:
                said = translate(
                    "Window", "{keys} belongs to “{command}”, which would lose it."
                ).format(keys=native(keys), command=_text(holder))
        self.words.setText(said)
        self.assign.setEnabled(fine)

    def _assign(self) -> None:
        self._choose(self.field.keySequence().toString())

    def _choose(self, keys: str) -> None:
        if self.chosen is not None:
            self._shortcuts.choose(self.chosen, keys)

    def _reset(self) -> None:
        if self.chosen is not None:
            self._shortcuts.reset(self.chosen)


def _text(name: str) -> str:
    """What a command is called, without the dots that tell of a dialog."""
    return words_of(_TEXTS[name]).rstrip("…")
