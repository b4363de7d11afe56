"""What a run's events and long answers took goes back to the system after it."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from memplanner.garbage import give_back
from memplanner_ui.run_control import RunControl

AFTER_MS = 1000
"""Once all that a run's end brings about is done."""


class FreedMemory(QObject):
    """Gives it back after each run."""

    def __init__(self, runs: RunControl, parent: QObject) -> None:
        super().__init__(parent)
        self.later = QTimer(self)
        self.later.setSingleShot(True)
        self.later.setInterval(AFTER_MS)
        self.later.timeout.connect(give_back)
        runs.running_changed.connect(lambda running: running or self.later.start())
