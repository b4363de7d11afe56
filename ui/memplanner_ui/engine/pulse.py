"""Whether an engine that owes an answer still hears: a process may be stopped, or hang."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

LOOK_MS = 1000
PROBE_SECONDS = 5.0
SILENT_SECONDS = 30.0
"""The engine answers who it is in a thread of its own, whatever it computes: within this time,
however busy the machine is."""
STARTING_SECONDS = 120.0
"""Until it has said who it is: the libraries may lie on another machine."""


class Pulse(QObject):
    """Asks an engine that has been quiet for a while, and tells once when it does not answer.

    While nothing is owed nothing is asked. Durations are those of ``time.monotonic``.
    """

    silent = Signal(float)
    """For so many seconds."""
    answering = Signal()
    """It is heard again after it was told to be silent."""

    def __init__(
        self, probe: Callable[[], object], owed: Callable[[], bool], parent: QObject
    ) -> None:
        """``probe`` asks for something that is answered at once; ``owed``: whether to look."""
        super().__init__(parent)
        self._probe, self._owed = probe, owed
        self._since = time.monotonic()
        self._greeted = self._probed = self._told = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    def begin(self) -> None:
        """A process has been started."""
        self._greeted = False
        self._forget()
        self._timer.start()

    def greet(self) -> None:
        """It has said who it is: from here on it can be asked."""
        self._greeted = True

    def end(self) -> None:
        """The process has ended."""
        self._timer.stop()
        self._told = False

    def heard(self) -> None:
        """It has said something."""
        told = self._told
        self._forget()
        if told:
            self.answering.emit()

    def _forget(self) -> None:
        self._since = time.monotonic()
        self._probed = self._told = False

    def _look(self) -> None:
        if self._told:
            return
        if not self._owed():
            self._since = time.monotonic()
            return
        quiet = time.monotonic() - self._since
        if self._greeted and not self._probed and quiet >= PROBE_SECONDS:
            self._probed = True
            self._probe()
        if quiet >= (SILENT_SECONDS if self._greeted else STARTING_SECONDS):
            self._told = True
            self.silent.emit(quiet)
