"""Asking a run to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock


class StopSignal:
    """Given to one ``apply``; ``request`` may be called from any thread, before it or during it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now: bool | None = None
        self._listener: Callable[[bool], None] | None = None

    @property
    def requested(self) -> bool:
        """Whether the run was asked to stop."""
        return self._now is not None

    def request(self, *, now: bool = False) -> None:
        """Asks the run to stop: after its step, or at once."""
        with self._lock:
            self._now = now or bool(self._now)
            if self._listener is not None:
                self._listener(now)

    @contextmanager
    def heard_by(self, listener: Callable[[bool], None]) -> Iterator[None]:
        """Calls ``listener(now)`` for each request until the end, one made before included."""
        with self._lock:
            self._listener = listener
            if self._now is not None:
                listener(self._now)
        try:
            yield
        finally:
            with self._lock:
                self._listener = None
