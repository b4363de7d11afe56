"""Giving up what nobody waits for any more, in the middle of a recording.

Work done ahead of time must not keep a request waiting. Whoever does it says so with
``interruptible``; recordings inside look at the event at every operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, local


class Interrupted(BaseException):
    """The work was given up. No ``Exception``, so that a model's own code does not keep it."""


class _Asked(local):
    event: Event | None = None


_asked = _Asked()


@contextmanager
def interruptible(event: Event) -> Iterator[None]:
    """Inside, on this thread, recordings raise ``Interrupted`` once ``event`` is set."""
    before, _asked.event = _asked.event, event
    try:
        yield
    finally:
        _asked.event = before


def asked() -> Event | None:
    """The event that ends what this thread does; None where it is to be finished."""
    return _asked.event


def give_up_if_asked() -> None:
    """Raises ``Interrupted`` where the event is set."""
    if _asked.event is not None and _asked.event.is_set():
        raise Interrupted
