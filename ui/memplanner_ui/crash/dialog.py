"""A crash report as it is: read, copied, saved elsewhere or deleted; nothing sends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from memplanner.writing import why, write_whole
from memplanner_ui.files import choose_new_file
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import label

_WORDS = translatable(
    "Crash report",
    "This lies on this machine alone. Secrets and your folder are masked; read it "
    "before you give it to anyone.",
)


class ReportDialog(QDialog):
    """Shows the report in the file ``path``, whose text is ``text``."""

    def __init__(self, path: Path, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("Crash report", "Crash report"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._path = path
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setFont(fonts.font("mono"))
        self.text.setAccessibleName(translate("Crash report", "Crash report"))
        self.words = label(translate("Crash report", _WORDS), "secondary", wrap=True)
        self.copy = self._button(translate("Crash report", "Copy"), self._copy)
        self.save = self._button(translate("Crash report", "Save as…"), self._ask_where)
        self.delete = self._button(translate("Crash report", "Delete"), self._delete)
        self.close_ = self._button(translate("Crash report", "Close"), self.accept)
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.copy, self.save, self.delete):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.close_)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(8)
        column.addWidget(self.words)
        column.addWidget(self.text, 1)
        column.addLayout(row)
        self.resize(fonts.scaled(720), fonts.scaled(520))

    def _button(self, text: str, done: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: done())
        return button

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        self.words.setText(translate("Crash report", "The report is on the clipboard."))

    def _ask_where(self) -> None:
        name = f"memplanner-{self._path.name}"
        choose_new_file(
            self,
            translate("Crash report", "Save the report"),
            translate("Crash report", "Text (*.txt)"),
            name,
            self.save_to,
        )

    def save_to(self, path: str) -> None:
        """Writes the report to ``path`` as well, for the user alone."""
        try:
            write_whole(Path(path), self.text.toPlainText(), private=True)
        except OSError as error:
            self.words.setText(
                translate("Crash report", "{path} could not be written: {reason}.").format(
                    path=path, reason=why(error)
                )
            )
        else:
            self.words.setText(translate("Crash report", "Written: {path}").format(path=path))

    def _delete(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            self.words.setText(
                translate("Crash report", "{path} could not be deleted: {reason}.").format(
                    path=self._path, reason=why(error)
                )
            )
        else:
            self.accept()
