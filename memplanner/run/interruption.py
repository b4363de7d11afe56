"""Ending the training loop from outside it: in the worker process."""

from __future__ import annotations

import os
import signal
import sys
from _thread import interrupt_main
from threading import main_thread
from time import sleep
from types import FrameType
from typing import TextIO

from memplanner.run.request import GRACE_SECONDS, STOP_AFTER_STEP, STOP_NOW

_AGAIN_SECONDS = 0.1


class Interruption:
    """What was asked of a run while it goes.

    What cannot wait is raised in the main thread as one ``KeyboardInterrupt``, until ``close`` is
    called. It comes by a real signal, so that it ends a sleep or a read as well.
    """

    def __init__(self) -> None:
        self.after_step = False
        self.low_memory = False
        self._raised = False
        self._closed = False

    def install(self) -> None:
        """Takes the signal; whoever started the process may have had it ignored."""
        signal.signal(signal.SIGINT, self._on_signal)
        sys.unraisablehook = self._on_unraisable

    def close(self) -> None:
        """From here on nothing is interrupted."""
        self._closed = True

    def listen(self, lines: TextIO) -> None:
        """Follows the parent's requests; that it goes away is one to stop at once.

        Never returns: user code that does not end in time is ended with the process.
        """
        for line in lines:
            if line.strip() == STOP_AFTER_STEP:
                self.after_step = True
            elif line.strip() == STOP_NOW:
                break
        self._interrupt()
        sleep(GRACE_SECONDS)
        os._exit(1)

    def on_low_memory(self) -> None:
        """The machine runs out of memory: ends the run before it swaps."""
        self.low_memory = True
        self._interrupt()

    def _interrupt(self) -> None:
        """Signals until the main thread has closed: what is not heard is said again."""
        thread = main_thread().ident
        assert thread is not None
        while not self._closed:
            if sys.platform == "win32":
                interrupt_main()
            else:
                signal.pthread_kill(thread, signal.SIGINT)
            sleep(_AGAIN_SECONDS)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._closed and not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    def _on_unraisable(self, problem: sys.UnraisableHookArgs) -> None:
        """Python prints what is raised in a finalizer and goes on: the next signal raises again."""
        if problem.exc_type is KeyboardInterrupt:
            self._raised = False
        else:
            sys.__unraisablehook__(problem)
