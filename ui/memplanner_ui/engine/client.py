"""The window's end of the protocol: requests, their answers, and what state the engine is in.

Replies are read on the GUI thread. A parsing thread would bring nothing: validation is one call
that holds the interpreter lock either way, and it takes 10 ms for an estimate of 2 500 layers
and 4 000 points in eight categories (1.1 MB), less than a frame.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

from memplanner.messages import protocol
from memplanner.messages.base import SCHEMA
from memplanner.messages.estimate import Estimate
from memplanner_ui.engine.outcome import Outcome
from memplanner_ui.engine.place import HERE, Place
from memplanner_ui.engine.process import EngineProcess
from memplanner_ui.engine.pulse import Pulse
from memplanner_ui.language import translate

SERVER = ("-P", "-m", "memplanner.server")
RESTARTS = 3
RESTART_WINDOW_SECONDS = 60.0
KEPT_MESSAGES = 40


class EngineState(Enum):
    """What the engine is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    FAILED = "failed"


_IDLE = protocol.Hello | protocol.ListEffects | protocol.SearchPlans | protocol.FindSmallestChange
"""What the engine does while it has nothing else to do."""

Then = Callable[[Any], None]
Failed = Callable[[protocol.Failure], None]


@dataclass(slots=True)
class _Pending:
    request: protocol.Request
    then: Then | None
    failed: Failed | None
    event: Then | None
    first: Estimate | None = None
    """Of an estimate, what has been told already."""


class EngineClient(QObject):
    """Starts ``python -m memplanner.server``, here or over ssh, and talks to it.

    Estimates never pile up: at most one is under way and one waits, the newest. When the process
    ends by itself it is started again and ``restarted`` says so: three times a minute at most,
    and only when it had answered before. A connection that was lost is the user's to make again.
    """

    state_changed = Signal(object)
    """The new ``EngineState``."""
    greeted = Signal(object)
    """``EngineInfo`` of a process that has just started."""
    restarted = Signal()
    """After ``greeted``, when the process replaces an earlier one."""
    ended = Signal(object)
    """``Outcome`` of a process that ended unasked."""
    silent = Signal(float)
    """It owes an answer and has not been heard for so many seconds: it is stopped, or hangs."""
    defect = Signal(object)
    """``Failure``: the engine met what nobody foresaw."""
    answering = Signal()
    """It is heard again."""
    log_line = Signal(str)
    """A line that is no message: what user code printed, or rubbish on the channel."""

    def __init__(
        self,
        place: Place = HERE,
        arguments: Sequence[str] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """``arguments`` stand in for those that start the real engine."""
        super().__init__(parent)
        self.place = place
        self.bringing = False
        """The engine is on its way to where it is to run."""
        self.info: protocol.EngineInfo | None = None
        self._arguments = None if arguments is None else tuple(arguments)
        self._state = EngineState.STOPPED
        self._last_id = 0
        self._pending: dict[int, _Pending] = {}
        self._waiting_estimate: _Pending | None = None
        self._queued: list[bytes] = []
        self._process: EngineProcess | None = None
        self._stranger = ""
        self._replaces_another = False
        self._restart_times: list[float] = []
        self.recent: deque[str] = deque(maxlen=KEPT_MESSAGES)
        """The last messages, by kind and number: what they said is not kept."""
        self._pulse = Pulse(lambda: self.request(protocol.Hello), lambda: bool(self._pending), self)
        self._pulse.silent.connect(self.silent)
        self._pulse.answering.connect(self.answering)

    @property
    def state(self) -> EngineState:
        """The state that ``state_changed`` last told."""
        return self._state

    @property
    def process_id(self) -> int | None:
        """Of the running process; None when there is none."""
        return None if self._process is None else self._process.process_id

    @property
    def log(self) -> str:
        """What the running process wrote that is no message, the middle elided."""
        return "" if self._process is None else self._process.log

    @property
    def halted(self) -> int | None:
        """Its id where a signal has stopped it; None where it runs, or nobody knows."""
        process = self._process
        return process.process_id if process is not None and process.halted else None

    # Starting and ending

    def start(self) -> None:
        """Starts the process; requests may be made at once and wait for it."""
        if self._process is not None:
            return
        process = self._make_process()
        process.line.connect(self._on_line)
        process.log_line.connect(self.log_line)
        process.ended.connect(self._on_ended)
        process.delivering.connect(self._on_delivering)
        self._process = process
        self._stranger = ""
        self._set_state(EngineState.STARTING)
        hello = protocol.Hello(id=self._take_id())
        self._pending[hello.id] = _Pending(hello, self._on_hello, None, None)
        process.started.connect(lambda: process.write(_encode(hello)))
        self._pulse.begin()
        process.start()

    def _make_process(self) -> EngineProcess:
        if self._arguments is None and self.place.brought:
            from memplanner_ui.engine import bringing  # other windows start without an archive

            arguments = bringing.bootstrap_arguments()
            return EngineProcess(self.place, arguments, self, delivery=bringing.delivery)
        return EngineProcess(self.place, self._arguments or SERVER, self)

    def _on_delivering(self) -> None:
        self.bringing = True
        self.state_changed.emit(self._state)

    def stop(self) -> None:
        """Ends the process and waits: two seconds by the protocol, then it is killed."""
        process = self._process
        if process is None:
            self._set_state(EngineState.STOPPED)
            return
        if self.place.remote and self.info is None:
            process.give_up()  # nothing is there yet that could hear it
        else:
            process.ask_to_stop(_encode(protocol.Shutdown(id=self._take_id())))
        process.wait()

    def restart(self, place: Place | None = None) -> None:
        """Ends the process and starts a new one, in another place if one is named."""
        self.stop()
        self.place = place or self.place
        self._restart_times.clear()
        self._replaces_another = True
        self.start()

    # Requests

    def request(
        self,
        kind: type[protocol.Request],
        /,
        *,
        then: Then | None = None,
        failed: Failed | None = None,
        event: Then | None = None,
        **fields: Any,
    ) -> int:
        """Asks for ``kind`` with ``fields`` and returns the request's id.

        ``then`` gets the reply that ends it, ``failed`` the ``Failure`` (also when the process
        ends first), ``event`` each ``Progress``, ``Effect``, ``PlansFound`` and ``Run`` before.
        An estimate that a newer one replaced is answered to nobody, and so is what an object
        asked that Qt has deleted since, as the engine may end after the window.
        """
        request = kind(id=self._take_id(), **fields)
        pending = _Pending(request, then, failed, event)
        if self._process is None:
            QTimer.singleShot(
                0, self, lambda: _fail(pending, translate("Engine", "The engine is not running."))
            )
        elif isinstance(request, protocol.MakeEstimate) and self._estimate_under_way():
            self._waiting_estimate = pending
        else:
            self._send(pending)
        return request.id

    def owed(self) -> tuple[protocol.Request, ...]:
        """The requests that are not answered yet, oldest first."""
        return tuple(one.request for one in self._pending.values())

    def _take_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _estimate_under_way(self) -> bool:
        return any(isinstance(one.request, protocol.MakeEstimate) for one in self._pending.values())

    def _send(self, pending: _Pending) -> None:
        if not isinstance(pending.request, protocol.StopSearch):  # the search itself is answered
            self._pending[pending.request.id] = pending
        asked = pending.request
        self.recent.append(f"to the engine: {type(asked).__name__} {asked.id}")
        line = _encode(pending.request)
        if self.info is None or self._process is None:
            self._queued.append(line)  # until it has said who it is
        else:
            self._process.write(line)
            self._settle()

    # Answers

    def _on_line(self, line: bytes) -> None:
        process = self._process
        if process is None:
            return
        self._pulse.heard()
        if self.info is None:
            line = line[max(line.find(b'{"'), 0) :]  # a start-up file may print no line's end
        try:
            reply = protocol.read_reply.validate_json(line)
        except ValidationError:
            if self.info is None and (version := _version_of_stranger(line)):
                self._refuse(version)
            else:
                process.note("not a message: " + line[:200].decode("utf-8", "replace"))
            return
        self.recent.append(f"from the engine: {type(reply).__name__} {reply.id}")
        pending = self._pending.get(reply.id)
        if pending is None:
            process.note(f"an answer to nothing that was asked: {reply.kind} {reply.id}")
        elif isinstance(reply, protocol.RestEstimated):
            if pending.first is not None:
                whole = reply.figures.added_to(pending.first)
                self._finish(pending, protocol.Estimated(id=reply.id, estimate=whole))
        elif not _ends(reply):
            if isinstance(reply, protocol.FirstFigures):
                pending.first = reply.estimate
            _tell(pending.event, reply)
        else:
            self._finish(pending, reply)

    def _finish(self, pending: _Pending, reply: protocol.AnyReply) -> None:
        del self._pending[reply.id]
        if isinstance(pending.request, protocol.MakeEstimate):
            waiting, self._waiting_estimate = self._waiting_estimate, None
            if waiting is not None:
                self._send(waiting)
        self._settle()
        if isinstance(reply, protocol.Failure):
            _tell(pending.failed, reply)
            if reply.error == "Defect":
                self.defect.emit(reply)
        elif not isinstance(reply, protocol.Superseded):
            _tell(pending.then, reply)

    def _on_hello(self, info: protocol.EngineInfo) -> None:
        if info.schema_ != SCHEMA or self._process is None:
            self._refuse(info.version)
            return
        self.info, self.bringing = info, False
        self._pulse.greet()
        for line in self._queued:
            self._process.write(line)
        self._queued.clear()
        self._set_state(self._working_state)
        self.greeted.emit(info)
        if self._replaces_another:
            self._replaces_another = False
            self.restarted.emit()

    def _refuse(self, version: str) -> None:
        self._stranger = version
        if self._process is not None:
            self._process.kill()

    # State

    def _set_state(self, state: EngineState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)

    def _settle(self) -> None:
        if self._state in (EngineState.READY, EngineState.BUSY):
            self._set_state(self._working_state)

    @property
    def _working_state(self) -> EngineState:
        """What is asked for idle moments makes nobody wait."""
        waited_for = any(not isinstance(one.request, _IDLE) for one in self._pending.values())
        return EngineState.BUSY if waited_for else EngineState.READY

    def _on_ended(self, outcome: Outcome) -> None:
        """Clears up after the process, tells whoever waits, and starts it again if it may."""
        process, self._process = self._process, None
        if process is None:
            return
        process.deleteLater()
        self._pulse.end()
        outcome = replace(outcome, answered=self.info is not None, stranger=self._stranger)
        abandoned = [*self._pending.values()]
        if self._waiting_estimate is not None:
            abandoned.append(self._waiting_estimate)
        self._pending.clear()
        self._queued.clear()
        self._waiting_estimate = None
        self.info, self.bringing = None, False
        if process.asked_to_stop:
            self._set_state(EngineState.STOPPED)
            sentence = translate("Engine", "The engine was stopped.")
        else:
            sentence = outcome.sentence
            if outcome.answered and not outcome.lost and self._may_restart():
                self._replaces_another = True
                self.start()
            else:
                self._set_state(EngineState.FAILED)
            self.ended.emit(outcome)
        for pending in abandoned:
            _fail(pending, sentence)

    def _may_restart(self) -> bool:
        now = time.monotonic()
        recent = [then for then in self._restart_times if now - then < RESTART_WINDOW_SECONDS]
        self._restart_times = [*recent, now]
        return len(recent) < RESTARTS


def _fail(pending: _Pending, sentence: str) -> None:
    failure = protocol.Failure(id=pending.request.id, error="EngineEnded", sentence=sentence)
    _tell(pending.failed, failure)


def _tell(answer: Callable[[Any], None] | None, reply: protocol.AnyReply) -> None:
    asker = getattr(answer, "__self__", None)
    if answer is not None and not (isinstance(asker, QObject) and not isValid(asker)):
        answer(reply)


def _ends(reply: protocol.AnyReply) -> bool:
    """Whether nothing more follows for the request."""
    if isinstance(reply, protocol.Run):
        return reply.event.kind == "result"
    more = protocol.Progress | protocol.FirstFigures | protocol.Effect | protocol.PlansFound
    return not isinstance(reply, more)


def _encode(request: protocol.Request) -> bytes:
    return request.model_dump_json(by_alias=True).encode() + b"\n"


def _version_of_stranger(line: bytes) -> str:
    """The version that an engine of another schema names in its greeting; empty if it is none."""
    try:
        values = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(values, dict) or values.get("kind") != "engine_info":
        return ""
    return str(values.get("version") or translate("Engine", "of another version"))
