"""The field that a query of layers is written in, and the line below it that says what is wrong."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QAction, QKeyEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.views.layer_query import HELP, Query, QueryError, parse_query

_DELAY = 60  # milliseconds, so that fast typing filters once
_UNFINISHED = 600
"""Milliseconds that a term may stand unfinished before that is said."""
_WIDTHS = 150, 260


class QueryField(QLineEdit):
    """Emits ``query_changed`` when what is written means something else.

    What means nothing is said by ``error``, a line to be put below the field; the query before
    it stays in force.
    """

    query_changed = Signal(object)
    """A ``Query``."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.query = Query()
        self.error = QLabel()
        self._wrong = ""
        self.setPlaceholderText(name)
        self.setAccessibleName(name)
        self.setToolTip(translate("Views", HELP))
        self.setClearButtonEnabled(True)
        self.setMinimumWidth(_WIDTHS[0])
        self.setMaximumWidth(fonts.scaled(_WIDTHS[1]))
        action = QAction(self)
        icons.set_icon(action, "search", "text3")
        self.addAction(action, QLineEdit.ActionPosition.LeadingPosition)
        self.error.setProperty("ink", "trouble")
        self.error.setFont(fonts.font("secondary"))
        self.error.setTextFormat(Qt.TextFormat.PlainText)
        self.error.setWordWrap(True)
        self.error.hide()
        self._typing, self._unfinished = QTimer(self), QTimer(self)
        for timer, delay, then in (
            (self._typing, _DELAY, self.read),
            (self._unfinished, _UNFINISHED, self._say),
        ):
            timer.setSingleShot(True)
            timer.setInterval(delay)
            timer.timeout.connect(then)
        self.textChanged.connect(self._typing.start)
        self.returnPressed.connect(self._read_at_once)

    def read(self) -> None:
        """Reads what is written; what means nothing is said a little later."""
        self._typing.stop()
        try:
            query = parse_query(self.text())
        except QueryError as error:
            self._wrong = str(error)
            self._unfinished.start()
            return
        self._wrong = ""
        self._unfinished.stop()
        self._say()
        if query != self.query:
            self.query = query
            self.query_changed.emit(query)

    def _read_at_once(self) -> None:
        self.read()
        if self._wrong:
            self._unfinished.stop()
            self._say()

    def _say(self) -> None:
        self.setAccessibleDescription(self._wrong)
        if self._wrong == self.error.text():
            return
        self.error.setText(self._wrong)
        self.error.setAccessibleName(self._wrong)
        self.error.setVisible(bool(self._wrong))
        if self._wrong:
            event = QAccessibleEvent(self.error, QAccessible.Event.Alert)
            QAccessible.updateAccessibility(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape empties the field, and goes on to whoever wants it where it is empty."""
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
            event.accept()
            return
        super().keyPressEvent(event)
