"""Writing beside the window: a disk may take long to have what it was given."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread

from PySide6.QtCore import QObject, Signal

from memplanner.writing import why

Work = Callable[[], None]
"""Brings a file to a state; raises ``OSError``."""


class StateWriter(QObject):
    """Brings one file to the states that it is given, in their order and never two at once.

    A state that has not begun when the next one comes is left out. The thread lives while there is
    work; Python waits for it at its end.
    """

    failed = Signal(str)
    """Why the file could not be brought to a state."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._next: Work | None = None
        self._thread: Thread | None = None

    def write(self, work: Work) -> None:
        """Has ``work`` done, soon."""
        with self._lock:
            self._next = work
            if self._thread is None:
                self._thread = Thread(target=self._run, name="unsaved plan")
                self._thread.start()

    def finish(self) -> None:
        """Waits until the last state is there."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                work, self._next = self._next, None
                if work is None:
                    self._thread = None
                    return
            try:
                work()
            except OSError as error:
                self.failed.emit(why(error))
