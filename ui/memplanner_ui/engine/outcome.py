"""How an engine process ended, in words that a user can act on."""

from __future__ import annotations

import re
import signal
from collections import deque
from dataclasses import dataclass

from memplanner_ui.engine.place import HERE, Place
from memplanner_ui.engine.ssh_words import FAILED, not_connected
from memplanner_ui.language import translate

HEAD_LINES = 5
TAIL_LINES = 40
LONGEST_LINE = 2000
NOT_RUNNABLE, NOT_FOUND, FAR_SIGNALS = 126, 127, 128
"""What a shell's exit codes mean; above the last, the signal's number is added."""
_MISSING = re.compile(r"No module named '?([\w.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an engine process."""

    place: Place = HERE
    exit_code: int | None = None
    signal_number: int | None = None
    started: bool = True
    """False when the interpreter, or ssh, could not be run at all."""
    answered: bool = False
    """Whether it had said who it is before it ended."""
    stranger: str = ""
    """The version it named, when it speaks another schema of the protocol."""
    stderr: str = ""
    """The first and last lines it wrote to stderr, the middle elided."""

    @property
    def lost(self) -> bool:
        """Whether the connection ended, not the engine: ssh failed, or was ended itself."""
        ended = self.exit_code == FAILED or self.signal_number is not None
        return self.place.remote and ended and not self.stranger

    @property
    def sentence(self) -> str:
        """What happened and what to do, as one sentence."""
        where = self.place.title
        if not self.started:
            if self.place.remote:
                return translate(
                    "Engine", "There is no ssh in this machine; install OpenSSH’s client."
                )
            return translate(
                "Engine", "{where} could not be started; choose another Python for the engine."
            ).format(where=where)
        if self.stranger:
            return translate(
                "Engine",
                "{where} has memplanner {stranger}, which speaks another protocol; install the "
                "window’s version there, or choose another Python.",
            ).format(where=where, stranger=self.stranger)
        if self.lost:
            if self.answered:
                return translate("Engine", "The connection to {machine} was lost.").format(
                    machine=self.place.machine
                )
            return not_connected(self.place, self.stderr)
        if not self.answered and (lacking := self._lacking()):
            return lacking
        if (number := self._signal()) is not None:
            return translate("Engine", "The engine was ended by {signal_name}.").format(
                signal_name=_signal_name(number)
            )
        if not self.answered:
            return translate(
                "Engine", "The engine ended with code {exit_code} before it answered; see its log."
            ).format(exit_code=self.exit_code)
        return translate("Engine", "The engine ended with code {exit_code}.").format(
            exit_code=self.exit_code
        )

    def _lacking(self) -> str:
        """What that Python has not, as a sentence; empty when it is something else."""
        where, python = self.place.title, self.place.interpreter
        if self.place.remote and self.exit_code in (NOT_RUNNABLE, NOT_FOUND):
            return translate(
                "Engine",
                "{machine} has no Python at “{python}”; name one by its path there, such as "
                "~/venv/bin/python.",
            ).format(machine=self.place.machine, python=python)
        if "Unknown option: -P" in self.stderr or "too old for the engine" in self.stderr:
            return translate(
                "Engine",
                "{where} is older than Python 3.11, which the engine needs; choose another.",
            ).format(where=where)
        missing = _MISSING.search(self.stderr)
        if missing is None:
            return ""
        package = missing.group(1).partition(".")[0]
        install = self.place.shown_command("-m", "pip", "install", package)
        return translate(
            "Engine",
            "{where} has no {package}; install it there with “{install}”, or choose another.",
        ).format(where=where, package=package, install=install)

    def _signal(self) -> int | None:
        """Which signal ended it: a far shell tells it as a code above 128."""
        far = self.exit_code or 0
        if self.place.remote and FAR_SIGNALS < far <= FAR_SIGNALS + 64:
            return far - FAR_SIGNALS
        return self.signal_number


def _signal_name(number: int) -> str:
    try:
        return translate("Engine", "signal {number} ({name})").format(
            number=number, name=signal.Signals(number).name
        )
    except ValueError:
        return translate("Engine", "signal {number}").format(number=number)


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
