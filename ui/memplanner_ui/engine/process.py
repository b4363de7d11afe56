"""One life of an engine process: started once, ended once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from memplanner.masking import mask
from memplanner_ui.engine.lines import LineReader
from memplanner_ui.engine.outcome import LONGEST_LINE, ElidedLog, Outcome
from memplanner_ui.engine.place import Place

SHUTDOWN_MS = 2000
"""How long a process may take to end when it is asked to."""


class EngineProcess(QObject):
    """A ``QProcess`` whose standard output is lines of the protocol and whose stderr is a log.

    Lines are handed out one an event-loop turn, so that many that arrive together never hold up
    painting for longer than the longest of them.
    """

    started = Signal()
    """It may be written to."""
    delivering = Signal()
    """It has no engine yet, and is sent one."""
    line = Signal(bytes)
    """One whole line of the channel."""
    log_line = Signal(str)
    ended = Signal(object)
    """``Outcome``; told once, after the last line."""

    def __init__(
        self,
        place: Place,
        arguments: Sequence[str],
        parent: QObject | None = None,
        *,
        delivery: Callable[[], bytes] | None = None,
    ) -> None:
        """``delivery`` makes what is sent to a bootstrap that asks for the engine."""
        super().__init__(parent)
        self.place = place
        self.asked_to_stop = False
        self._delivery = delivery
        self._log = ElidedLog()
        self._replies = LineReader()
        self._errors = LineReader()
        self._gone = False
        self._writing = False
        self._process = QProcess(self)
        program, *words = place.command(*arguments)
        self._process.setProgram(program)
        self._process.setArguments(words)
        self._process.setProcessEnvironment(_environment())
        if os.name == "posix":
            # A session of its own: ending the engine's group also ends a run it has started.
            parameters = QProcess.UnixProcessParameters()
            parameters.flags = QProcess.UnixProcessFlag.CreateNewSession
            self._process.setUnixProcessParameters(parameters)
        if delivery is None:
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
    def halted(self) -> bool:
        """Whether a signal has stopped it, as Ctrl+Z and ``kill -STOP`` do; False elsewhere."""
        try:
            status = Path(f"/proc/{self.process_id}/stat").read_text("utf-8", "replace")
        except OSError:
            return False
        return status.rpartition(")")[2].split()[:1] in (["T"], ["t"])

    @property
    def log(self) -> str:
        """What is no message, the middle elided."""
        return self._log.text()

    def start(self) -> None:
        """Starts it; ``started`` or ``ended`` follows."""
        self._process.start()

    def write(self, line: bytes) -> None:
        """Sends one line; nothing happens when the process is gone.

        It goes out at once as far as the channel takes it, not when whoever asked has come to an
        end: so the engine works while the window still shows what was edited.
        """
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.write(line)
            self._writing = True
            self._process.waitForBytesWritten(0)
            self._writing = False

    def note(self, text: str) -> None:
        """Adds a line to the log, without secrets."""
        text = mask(text[: LONGEST_LINE + 1])
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

    def give_up(self) -> None:
        """Ends it at once, as one that was asked to stop."""
        self.asked_to_stop = True
        self.kill()

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
        elif self._delivery is not None:
            self._deliver(line)
        else:
            self.line.emit(line)

    def _deliver(self, line: bytes) -> None:
        """Answers the bootstrap, before which only start-up files print."""
        from memplanner_ui.engine.bringing import is_answer  # other engines are there already

        wanted = is_answer(line)
        if wanted is None or self._delivery is None:
            self.note(line.decode("utf-8", "replace"))
            return
        if wanted:
            self.delivering.emit()
            self.write(self._delivery())
        self._delivery = None
        self.started.emit()

    def _on_error_output(self) -> None:
        self._errors.feed(bytes(self._process.readAllStandardError().data()))
        while (line := self._errors.next()) is not None:
            self.note(line.decode("utf-8", "replace"))

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(Outcome(place=self.place, started=False))

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._writing:  # who asks is not to be answered before it has asked
            QTimer.singleShot(0, self, lambda: self._on_finished(code, status))
            return
        self._on_output()
        while len(self._replies):
            self._hand_out()
        self._on_error_output()
        self._errors.feed(b"\n")  # the last line may have no end
        self._on_error_output()
        crashed = status == QProcess.ExitStatus.CrashExit
        self._end(
            Outcome(
                place=self.place,
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
