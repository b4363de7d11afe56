"""Figures of tensors wait a moment for those of the device: painting both would take longer."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from memplanner.messages.estimate import Estimate

WAIT_MS = 50
"""How long."""


class FirstFigures(QObject):
    """The first part of an estimate, told as ``due`` where the rest does not follow at once."""

    due = Signal(object)
    """An ``Estimate`` without the device's figures."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._first: Estimate | None = None
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(WAIT_MS)
        self._wait.timeout.connect(self._tell)

    def put(self, first: Estimate) -> None:
        """The first part is there; one that still waited is not told any more."""
        self._first = first
        self._wait.start()

    def drop(self) -> None:
        """The whole is there, or none will come."""
        self._wait.stop()

    def _tell(self) -> None:
        self.due.emit(self._first)
