"""Takes requests in and hands them to who answers: one thread for the model, one for a run."""

from __future__ import annotations

from collections import deque
from functools import partial
from threading import Condition, Thread
from typing import BinaryIO

from pydantic import ValidationError

from memplanner.errors import MemplannerError
from memplanner.messages import protocol
from memplanner.messages.protocol import AnyRequest, Failure, MakeEstimate, Superseded
from memplanner.server.channel import LONGEST_LINE_BYTES, Channel, read_lines
from memplanner.server.guard import guarded, logged
from memplanner.server.light import answer_light
from memplanner.server.model_work import ModelWork
from memplanner.server.run_work import LongWork, RunWork

_IDLE_AFTER_SECONDS = 0.2
_QUIET_AFTER_SECONDS = 1.0
"""After which the engine looks ahead to a search that nobody has asked for."""


def serve(stream: BinaryIO, channel: Channel) -> None:
    """Answers requests until the stream ends or ``shutdown`` comes. Stops a run that goes on."""
    work = _Queue(channel)
    thread = Thread(target=work.run, name="engine", daemon=True)
    thread.start()
    try:
        for line in read_lines(stream):
            if line is None:
                sentence = f"A request is longer than {LONGEST_LINE_BYTES} bytes; send less."
                channel.send(Failure(id=0, error="ProtocolError", sentence=sentence))
                continue
            if not line.strip():
                continue
            request = _parse(line, channel)
            if isinstance(request, protocol.Shutdown):
                break
            if request is not None:
                _take(request, work, channel)
    finally:
        work.runs.stop_all()


def _parse(line: bytes, channel: Channel) -> AnyRequest | None:
    try:
        return protocol.read_request.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        sentence = f"A request cannot be read ({where}: {first['msg']}); send one of this protocol."
        said = str(MemplannerError(sentence))  # it quotes the line, which may hold anything
        channel.send(Failure(id=0, error="ProtocolError", sentence=said))
        return None


def _take(request: AnyRequest, work: _Queue, channel: Channel) -> None:
    """Answers at once what can be, and puts the rest in line."""
    if isinstance(request, protocol.StopRun):
        answer = partial(work.runs.stop, request)
    elif isinstance(request, LongWork):
        answer = partial(work.runs.expect, request)
    else:
        answer = partial(answer_light, request, channel)
    if not guarded(request, channel, answer):
        work.add(request)


class _Queue:
    """Requests about the model, answered in order; a newer estimate replaces a waiting one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: deque[AnyRequest] = deque()
        self._changed = Condition()
        self._model = ModelWork(channel)
        self.runs = RunWork(self._model, channel, self._go_on)

    def add(self, request: AnyRequest) -> None:
        """Puts a request in line."""
        with self._changed:
            if isinstance(request, MakeEstimate):
                for other in [one for one in self._waiting if isinstance(one, MakeEstimate)]:
                    self._waiting.remove(other)
                    self._channel.send(Superseded(id=other.id))
            self._waiting.append(request)
            if not self._model.next_step.is_making(request):
                self._model.interruption.set()
            self._changed.notify()

    def _go_on(self) -> None:
        """A run has ended: there may be something to look ahead to."""
        with self._changed:
            self._changed.notify()

    def run(self) -> None:
        """Answers for ever; the process's end ends it.

        Idle moments make the estimate of the step that is likely next, prepare other changes, and
        tell effects of options; what has begun there is given up when a request comes. When that is
        done and nothing comes for a while, what a search would record is recorded; not while a run
        goes on, whose steps are timed. Where these are the processor's, all idle work waits for it.
        """
        looking = False
        while True:
            with self._changed:
                while not self._waiting:
                    if self._model.comparison_waits or self._model.searches.wait:
                        break
                    if self._model.next_step.waits:
                        break
                    # a processor's steps would take several times as long beside idle work
                    if self.runs.take_processor:
                        self._changed.wait()
                    elif self._model.idle_work_waits:
                        if not self._changed.wait(_IDLE_AFTER_SECONDS):
                            break
                    elif self._model.effects_wait:
                        break
                    elif self._model.looks_ahead and not self.runs.go_on:
                        if looking or not self._changed.wait(_QUIET_AFTER_SECONDS):
                            break
                    else:
                        self._changed.wait()
                request = self._waiting.popleft() if self._waiting else None
                if request is None:
                    self._model.interruption.clear()
            looking = request is None
            if request is None and self._model.comparison_waits:
                self._model.compare_next()
            elif request is None and self._model.searches.wait:
                self._model.searches.go_on(self._model.interruption)
            elif request is None and self._model.next_step.waits:
                self._model.make_next_step()
            elif request is None and self._model.idle_work_waits:
                logged(self._model.do_idle_work)
            elif request is None and self._model.effects_wait:
                self._model.tell_effect()
            elif request is None:
                self._model.look_ahead()
            elif isinstance(request, LongWork):
                guarded(request, self._channel, partial(self.runs.start, request))
            elif isinstance(request, protocol.AssignBits):
                guarded(request, self._channel, partial(self.runs.assign, request))
            else:
                guarded(request, self._channel, partial(self._model.answer, request))
