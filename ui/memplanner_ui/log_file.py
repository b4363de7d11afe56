"""What the engine wrote that is no message, kept beside the settings: masked, bounded, private."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from memplanner.writing import why
from memplanner_ui.language import translate

WRITE_AFTER_MS = 1000
MOST_WAITING = 2000
"""Lines between two writings; what is more is counted and left out."""
LARGEST_BYTES = 2**20
OLDER_FILES = 2


class LogFile(QObject):
    """Lines go to ``window.log`` at most once a second; older files are ``window.log.1`` and up.

    Lines come masked (``memplanner.masking``). Several windows may write to the same file.
    """

    failed = Signal(str)
    """One sentence: it cannot be written; nothing more is tried."""

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = folder / "window.log"
        self._waiting: list[str] = []
        self._left_out = 0
        self._broken = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(WRITE_AFTER_MS)
        self._later.timeout.connect(self.write)

    def add(self, line: str) -> None:
        """Takes a line."""
        if self._broken:
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}")
        else:
            self._left_out += 1
        if not self._later.isActive():
            self._later.start()

    def write(self) -> None:
        """Writes what waits, now."""
        self._later.stop()
        lines, self._waiting = self._waiting, []
        if self._left_out:
            lines.append(f"… {self._left_out} lines left out …")
            self._left_out = 0
        if not lines or self._broken:
            return
        try:
            self._append("\n".join(lines) + "\n")
        except OSError as error:
            self._broken = True
            self.failed.emit(
                translate("Window", "{path} cannot be written: {reason}.").format(
                    path=self.path, reason=why(error)
                )
            )

    def _append(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.path.exists() and self.path.stat().st_size > LARGEST_BYTES:
            self._rotate()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
            if os.name == "posix":
                os.fchmod(descriptor, 0o600)
            file.write(text)

    def _rotate(self) -> None:
        for number in range(OLDER_FILES, 0, -1):
            newer = self.path if number == 1 else self._older(number - 1)
            if newer.exists():
                newer.replace(self._older(number))

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
