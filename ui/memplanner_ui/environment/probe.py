"""Asking Pythons what they have, behind the window: two at a time, each within a time."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from pydantic import ValidationError
from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from memplanner.messages.environment import Environment, EnvironmentCards, read_environment
from memplanner_ui.engine import Outcome, Place
from memplanner_ui.engine.lines import LineReader
from memplanner_ui.language import translate

AT_ONCE = 2
FIRST_SECONDS, MORE_SECONDS = 30, 90
"""For the first line; and from there on until torch is imported, from a slow disk perhaps."""
ENTRY = (
    "import sys; "
    "sys.version_info < (3, 8) and sys.exit('Python %d.%d is too old' % sys.version_info[:2]); "
    "sys.path[:] = [folder for folder in sys.path if folder]; "
    "exec(sys.stdin.read())"
)
"""Any Python takes it; what lies in the current folder shadows no package."""
_TOO_OLD = " is too old"


@cache
def script() -> bytes:
    """What is sent to each Python."""
    return (files("memplanner_ui.engine") / "probe_script.py").read_bytes()


class Probe(QObject):
    """One Python is asked, once."""

    told = Signal(object)
    """``Environment``, and ``EnvironmentCards`` after it."""
    ended = Signal(str)
    """A sentence why it could not be told whole; empty when it could."""

    def __init__(
        self, place: Place, packages: Sequence[str], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.place = place
        self._lines = LineReader()
        self._known = self._complete = self._gone = False
        self._process = QProcess(self)
        program, *words = place.command("-c", ENTRY, *packages)
        self._process.setProgram(program)
        self._process.setArguments(words)
        if os.name == "posix":
            parameters = QProcess.UnixProcessParameters()
            parameters.flags = QProcess.UnixProcessFlag.CreateNewSession
            self._process.setUnixProcessParameters(parameters)
        self._process.started.connect(self._send)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._limit = QTimer(self)
        self._limit.setSingleShot(True)
        self._limit.timeout.connect(self._on_late)

    def start(self) -> None:
        """Asks; ``ended`` follows."""
        self._limit.start(FIRST_SECONDS * 1000)
        self._process.start()

    def cancel(self) -> None:
        """Ends the asking at once; nothing more is told."""
        self._gone = True
        self._limit.stop()
        process_id = int(self._process.processId())
        if process_id and os.name == "posix":
            try:
                os.killpg(process_id, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()  # it has not made its session yet
        else:
            self._process.kill()
        self._process.waitForFinished(1000)

    def _send(self) -> None:
        self._process.write(script())
        self._process.closeWriteChannel()

    def _read(self) -> None:
        self._lines.feed(bytes(self._process.readAllStandardOutput().data()))
        while (line := self._lines.next()) is not None and not self._gone:
            try:
                found = read_environment.validate_json(line)
            except ValidationError:
                continue  # a start-up file prints, or torch does
            self._known = True
            self._complete = isinstance(found, EnvironmentCards) or not found.more
            self._limit.start(MORE_SECONDS * 1000)
            self.told.emit(found)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(Outcome(place=self.place, started=False).sentence)

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        errors = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        crashed = status == QProcess.ExitStatus.CrashExit
        self._end("" if self._complete else self._sentence(None if crashed else code, errors))

    def _sentence(self, code: int | None, errors: str) -> str:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        old = next((line for line in lines if line.endswith(_TOO_OLD)), "")
        if old:
            return translate("Environment", "{old}: the engine needs 3.11 or newer.").format(
                old=old
            )
        if self._known:
            return translate("Environment", "torch ended this Python while it was imported.")
        outcome = Outcome(place=self.place, exit_code=code, stderr=errors)
        if outcome.lost or (self.place.remote and code in (126, 127)):
            return outcome.sentence
        said = f" ({lines[-1]})" if lines else ""
        return translate("Environment", "{title} could not say what it has{said}.").format(
            title=self.place.title, said=said
        )

    def _on_late(self) -> None:
        where = self.place.title
        late = translate(
            "Environment", "{where} has not answered within {first_seconds} seconds."
        ).format(where=where, first_seconds=FIRST_SECONDS)
        if self._known:
            late = translate(
                "Environment", "torch took longer than {more_seconds} seconds to be imported."
            ).format(more_seconds=MORE_SECONDS)
        self.cancel()
        self.ended.emit(late)

    def _end(self, sentence: str) -> None:
        if not self._gone:
            self._gone = True
            self._limit.stop()
            self.ended.emit(sentence)


class Probes(QObject):
    """What is known of each place. Asks those that are wanted, a few at a time."""

    changed = Signal(object)
    """Of this ``Place`` more is known, or asking it has ended."""

    def __init__(self, packages: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._packages = tuple(packages)
        self._waiting: deque[Place] = deque()
        self._running: dict[Place, Probe] = {}
        self.environments: dict[Place, Environment] = {}
        self.cards: dict[Place, EnvironmentCards] = {}
        self.sentences: dict[Place, str] = {}
        """Why asking has failed."""

    def asks(self, place: Place) -> bool:
        """Whether it is being asked, or will be."""
        return place in self._running or place in self._waiting

    def ask(self, place: Place, *, first: bool = False) -> None:
        """Asks a place, unless it is being asked; ``first`` before those that wait."""
        if place in self._running:
            return
        if place in self._waiting:
            self._waiting.remove(place)
        for known in (self.environments, self.cards, self.sentences):
            known.pop(place, None)
        if first:
            self._waiting.appendleft(place)
        else:
            self._waiting.append(place)
        self._go_on()
        self.changed.emit(place)

    def cancel(self) -> None:
        """Ends all asking."""
        self._waiting.clear()
        running, self._running = self._running, {}
        for probe in running.values():
            probe.cancel()

    def _go_on(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            place = self._waiting.popleft()
            probe = Probe(place, self._packages, self)
            probe.told.connect(lambda found, place=place: self._take(place, found))
            probe.ended.connect(lambda sentence, place=place: self._end(place, sentence))
            self._running[place] = probe
            probe.start()

    def _take(self, place: Place, found: Environment | EnvironmentCards) -> None:
        if isinstance(found, Environment):
            self.environments[place] = found
        else:
            self.cards[place] = found
        self.changed.emit(place)

    def _end(self, place: Place, sentence: str) -> None:
        probe = self._running.pop(place, None)
        if probe is not None:
            probe.deleteLater()
        if sentence:
            self.sentences[place] = sentence
        self._go_on()
        self.changed.emit(place)
