"""How an engine process ended, in words that a user can act on."""

from __future__ import annotations

import signal
from collections import deque
from dataclasses import dataclass

HEAD_LINES = 5
TAIL_LINES = 40
LONGEST_LINE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an engine process."""

    interpreter: str
    exit_code: int | None = None
    signal_number: int | None = None
    started: bool = True
    """False when the interpreter could not be run at all."""
    answered: bool = False
    """Whether it had said who it is before it ended."""
    stranger: str = ""
    """The version it named, when it speaks another schema of the protocol."""
    stderr: str = ""
    """The first and last lines it wrote to stderr, the middle elided."""

    @property
    def sentence(self) -> str:
        """What happened and what to do, as one sentence."""
        if not self.started:
            return f"{self.interpreter} could not be started; choose another Python for the engine."
        if self.stranger:
            return (
                f"{self.interpreter} has memplanner {self.stranger}, which speaks another "
                "protocol; install the window's version there, or choose another Python."
            )
        if "No module named memplanner" in self.stderr.replace("'", ""):
            return (
                f"{self.interpreter} has no memplanner; install it there with "
                "“pip install memplanner”, or choose another Python."
            )
        if self.signal_number is not None:
            return f"The engine was ended by {_signal_name(self.signal_number)}."
        if not self.answered:
            return f"The engine ended with code {self.exit_code} before it answered; see its log."
        return f"The engine ended with code {self.exit_code}."


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


class ElidedLog:
    """The first and the last lines of a stream, whatever its length."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._elided = 0

    def add(self, line: str) -> None:
        """Takes one line; a very long one is cut."""
        line = line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
        if len(self._head) < HEAD_LINES:
            self._head.append(line)
            return
        if len(self._tail) == TAIL_LINES:
            self._elided += 1
        self._tail.append(line)

    def text(self) -> str:
        """The lines, with a note where some were left out."""
        middle = [f"… {self._elided} lines left out …"] if self._elided else []
        return "\n".join([*self._head, *middle, *self._tail])
