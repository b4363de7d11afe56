"""What the window no longer uses goes back to the system, where the C library would keep it.

glibc keeps what was freed between things that are in use. Each run leaves some of it: its events
and long answers come and go among what stays.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

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


def give_back() -> bool:
    """Gives it back, in a few milliseconds; whether there was any, False where nothing can."""
    trim = _trim()
    return trim is not None and bool(trim(0))


def _trim() -> Callable[[int], int] | None:
    """The C library's ``malloc_trim``, which glibc has; None with another C library."""
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
