"""Asking a run to stop."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class StopSignal:
    """Given to ``apply``; ``request`` may be called from any thread, before or while it runs."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked: bool | None = None
        self._listener: Callable[[bool], None] | None = None

    def request(self, *, now: bool = False) -> None:
        """Asks the run to stop: after its step, or at once."""
        with self._lock:
            self._asked = now or bool(self._asked)
            listener = self._listener
        if listener is not None:
            listener(now)

    def listen(self, listener: Callable[[bool], None]) -> None:
        """Calls ``listener(now)`` for requests, one that was made before included."""
        with self._lock:
            self._listener = listener
            asked = self._asked
        if asked is not None:
            listener(asked)
