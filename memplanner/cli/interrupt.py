"""Stopping a run from the keyboard."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread
from types import FrameType

from memplanner.run import StopSignal


@contextmanager
def stopped_by_interrupt() -> Iterator[StopSignal]:
    """Yields a signal for ``apply`` that interrupts from the keyboard raise.

    The first stops the run after its step, the second at once; both end in a result. The third
    ends the program.
    """
    stop = StopSignal()
    count = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise KeyboardInterrupt
        now = count == 2
        # Not from in here: the lock that it takes may be held where this breaks in.
        Thread(target=stop.request, kwargs={"now": now}, daemon=True).start()
        words = "now" if now else "after this step; interrupt again to stop now"
        print(f"Stopping {words}.", file=sys.stderr, flush=True)

    if current_thread() is not main_thread():  # Python delivers signals there alone
        yield stop
        return
    previous = signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)
