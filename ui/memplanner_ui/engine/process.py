"""One life of an engine process: started once, ended once."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from memplanner_ui.engine.lines import LineReader
from memplanner_ui.engine.outcome import ElidedLog, Outcome

SHUTDOWN_MS = 2000
"""How long a process may take to end when it is asked to."""


class EngineProcess(QObject):
    """A ``QProcess`` whose standard output is lines of the protocol and whose stderr is a log.

    Lines are handed out one an event-loop turn, so that many that arrive together never hold up
    painting for longer than the longest of them.
    """

    started = Signal()
    line = Signal(bytes)
    """One whole line of the channel."""
    log_line = Signal(str)
    ended = Signal(object)
    """``Outcome``; told once, after the last line."""

    def __init__(
        self, interpreter: str, arguments: Sequence[str], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.interpreter = interpreter
        self.asked_to_stop = False
        self._log = ElidedLog()
        self._replies = LineReader()
        self._errors = LineReader()
        self._gone = False
        self._process = QProcess(self)
        self._process.setProgram(interpreter)
        self._process.setArguments(list(arguments))
        self._process.setProcessEnvironment(_environment())
        if os.name == "posix":
            # A session of its own: ending the engine's group also ends a run it has started.
            parameters = QProcess.UnixProcessParameters()
            parameters.flags = QProcess.UnixProcessFlag.CreateNewSession
            self._process.setUnixProcessParameters(parameters)
        self._process.started.connect(self.started)
        self._process.readyReadStandardOutput.connect(self._on_output)
        self._process.readyReadStandardError.connect(self._on_error_output)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._turn = QTimer(self)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self._hand_out)
        self._deadline = QTimer(self)
        self._deadline.setSingleShot(True)
        self._deadline.timeout.connect(self.kill)

    @property
    def process_id(self) -> int | None:
        """The process's id; None when it does not run."""
        return int(self._process.processId()) or None

    @property
    def log(self) -> str:
        """What is no message, the middle elided."""
        return self._log.text()

    def start(self) -> None:
        """Starts it; ``started`` or ``ended`` follows."""
        self._process.start()

    def write(self, line: bytes) -> None:
        """Sends one line; nothing happens when the process is gone."""
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.write(line)

    def note(self, text: str) -> None:
        """Adds a line to the log."""
        self._log.add(text)
        self.log_line.emit(text)

    def ask_to_stop(self, farewell: bytes) -> None:
        """Sends ``farewell``, closes the channel, and kills it when that does not help in time."""
        if self.asked_to_stop:
            return
        self.asked_to_stop = True
        self.write(farewell)
        self._process.closeWriteChannel()
        self._deadline.start(SHUTDOWN_MS)

    def wait(self) -> None:
        """Blocks until it has ended, at most for the time it is given; then kills it."""
        if self._process.state() == QProcess.ProcessState.NotRunning:
            return
        if not self._process.waitForFinished(SHUTDOWN_MS):
            self.kill()
            self._process.waitForFinished(SHUTDOWN_MS)

    def kill(self) -> None:
        """Ends the process and what it has started, at once."""
        process_id = self.process_id
        if process_id is None:
            return
        if os.name == "posix":
            try:
                os.killpg(process_id, signal.SIGKILL)
                return
            except (ProcessLookupError, PermissionError):
                pass  # it has not made its session yet
        self._process.kill()

    def _on_output(self) -> None:
        self._replies.feed(bytes(self._process.readAllStandardOutput().data()))
        if len(self._replies):
            self._turn.start()

    def _hand_out(self) -> None:
        line = self._replies.next()
        if line is None:
            self._turn.stop()
        else:
            self.line.emit(line)

    def _on_error_output(self) -> None:
        self._errors.feed(bytes(self._process.readAllStandardError().data()))
        while (line := self._errors.next()) is not None:
            self.note(line.decode("utf-8", "replace"))

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(Outcome(interpreter=self.interpreter, started=False))

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_output()
        while len(self._replies):
            self._hand_out()
        self._on_error_output()
        self._errors.feed(b"\n")  # the last line may have no end
        self._on_error_output()
        crashed = status == QProcess.ExitStatus.CrashExit
        self._end(
            Outcome(
                interpreter=self.interpreter,
                exit_code=None if crashed else code,
                signal_number=code if crashed else None,
                stderr=self._log.text(),
            )
        )

    def _end(self, outcome: Outcome) -> None:
        if self._gone:
            return
        self._gone = True
        self._turn.stop()
        self._deadline.stop()
        self.ended.emit(outcome)


def _environment() -> QProcessEnvironment:
    environment = QProcessEnvironment.systemEnvironment()
    environment.insert("PYTHONIOENCODING", "utf-8")
    environment.insert("PYTHONUNBUFFERED", "1")
    return environment
