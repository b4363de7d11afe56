"""``apply``: starts the worker, follows its events, and always ends with a result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread, Timer

import psutil
from pydantic import ValidationError

from memplanner.errors import RunError
from memplanner.messages.device import Device
from memplanner.messages.estimate import Phase
from memplanner.messages.run import RunEvent, RunResult
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.ending import Followed
from memplanner.run.keeping import keep
from memplanner.run.killing import kill_session
from memplanner.run.lines import Silence, TimedLines, cut_lines
from memplanner.run.request import (
    GRACE_SECONDS,
    STOP_AFTER_STEP,
    STOP_NOW,
    RunRequest,
    read_event,
)
from memplanner.run.requested import RunOptions, requested
from memplanner.run.stopping import StopSignal
from memplanner.run.stuck import answering, silent

_KEPT_LINES = 200
"""Of standard error: a crash dumps the stacks of all threads."""
_LONGEST_KEPT = 2000
"""Characters of each: user code may print without end."""
_LOOK_SECONDS = 1.0
SILENT_SECONDS = 20.0
"""After which a worker that says nothing is told of; once it trains it says something 20 times a
second, before that it may read weights for long."""
_END_SECONDS = 2.0
"""For the threads to see that the worker is gone."""


def apply(
    model: Model,
    plan: Plan | None = None,
    device: Device | str = "auto",
    *,
    steps: int = 3,
    data: str | None = None,
    force: bool = False,
    on_event: Callable[[RunEvent], None] | None = None,
    stop: StopSignal | None = None,
    history: Path | None = None,
    quality: bool = True,
    save: str | Path | None = None,
) -> RunResult:
    """Runs ``steps`` optimizer steps of the plan on the device, in a process of its own.

    A plan over several cards runs on as many ranks of this machine: a card each, or on the CPU;
    the result then holds ``ranks``, and its figures are the fullest's.
    ``data`` is a text file to train on; without it data of the planned shape is generated. Every
    event, the result included, goes to ``on_event``. A run that was measured is kept in the
    history (the file ``history``, else the user's own). Where the plan compresses real weights, the
    result holds a report on their ``quality``, and the compressed model is saved as the new folder
    ``save``, both before a step is made. Raises ``RunError`` before anything starts:
    when the estimate exceeds the free memory and not ``force``, the card is not here, or there is
    nothing to save.
    """
    options = RunOptions(steps=steps, data=data, force=force, quality=quality, save=save)
    request, prediction = requested(model, plan, device, options)
    if stop is not None and stop.requested:
        result = Followed(request).stopped()
    else:
        worker = _Worker(request, on_event)
        result = worker.result(stop)
        trouble = keep(prediction, result, worker.reserved_by_phase, history)
        if trouble:
            result = result.model_copy(update={"notes": (*result.notes, trouble)})
    if on_event is not None:
        on_event(result)
    return result


def _module(request: RunRequest) -> str:
    """What carries a request out: the worker, or over several cards what starts one a rank."""
    return "memplanner.run.ranks" if request.ranks else "memplanner.run.worker"


class _Worker:
    """The worker process, from its start to its end.

    It leads a process group of its own, so that nothing which user code starts outlives it, and
    an interrupt from the keyboard reaches this process alone.
    """

    def __init__(self, request: RunRequest, on_event: Callable[[RunEvent], None] | None) -> None:
        self._request, self._on_event = request, on_event
        self._followed = Followed(request)
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._errors: deque[str] = deque(maxlen=_KEPT_LINES)
        self._told_to_end = False
        self._deadline: Timer | None = None
        try:
            self._process = subprocess.Popen(
                # -P: no file beside the user's shadows a library. Else Python finds there what
                # it finds here. The dump of a crash names the line.
                [sys.executable, "-P", "-X", "faulthandler", "-m", _module(request)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,
            )
        except OSError as error:
            raise RunError(
                f"No process can be started for the run ({error.strerror}); close other programs."
            ) from error

    def result(self, stop: StopSignal | None) -> RunResult:
        """Follows the worker to its end; leaves no process behind."""
        threads = [
            Thread(target=target, name=f"{name} of a run", daemon=True)
            for name, target in (
                ("requests", self._write),
                ("errors", self._keep_errors),
                ("end", self._await_end),
            )
        ]
        for thread in threads:
            thread.start()
        self._lines.put(self._request.model_dump_json(by_alias=True))
        result: RunResult | None = None
        assert self._process.stdout is not None
        lines = TimedLines(self._process.stdout, _LOOK_SECONDS, "events of a run")
        threads.insert(0, lines.thread)
        try:
            with nullcontext() if stop is None else stop.heard_by(self._stop):
                result = self._follow(lines)
            threads[-1].join(GRACE_SECONDS)
        finally:
            self._kill()
            if self._deadline is not None:
                self._deadline.cancel()
            self._lines.put(None)
            lines.close()
            for thread in threads:
                thread.join(_END_SECONDS)
            self._close()
        return self._without_result() if result is None else result

    @property
    def reserved_by_phase(self) -> dict[Phase, int]:
        """The highest that the allocator had reserved in each phase, where it was sampled."""
        return self._followed.reserved_by_phase

    def _follow(self, lines: TimedLines) -> RunResult | None:
        silence = Silence(SILENT_SECONDS)
        for line in lines:
            if line is None:
                seconds = silence.seconds_to_tell()
                if seconds is not None:
                    self._tell(silent(self._process.pid, seconds, self._followed.seconds))
                continue
            try:
                event = read_event.validate_json(line)
            except ValidationError:
                continue  # an empty line, or what a library printed before the worker took over
            if silence.heard():
                self._tell(answering(self._followed.seconds))
            if isinstance(event, RunResult):
                return event
            self._tell(event)
        return None

    def _tell(self, event: RunEvent) -> None:
        self._followed.note(event)
        if self._on_event is not None:
            self._on_event(event)

    def _without_result(self) -> RunResult:
        if self._told_to_end:
            return self._followed.stopped()
        return self._followed.died(self._process.returncode, tuple(self._errors))

    def _stop(self, now: bool) -> None:
        if not now:
            self._lines.put(STOP_AFTER_STEP)
            return
        self._told_to_end = True
        if not self._followed.started:
            self._kill()  # it still imports its libraries, and has nothing to tell
        elif self._deadline is None:
            self._lines.put(STOP_NOW)
            self._deadline = Timer(GRACE_SECONDS, self._kill)
            self._deadline.daemon = True
            self._deadline.start()

    def _kill(self) -> None:
        """Ends the worker and what user code has started in it, without asking.

        Ranks are children in sessions of their own.
        """
        if self._request.ranks and self._process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    kill_session(child.pid)
        kill_session(self._process.pid)

    def _await_end(self) -> None:
        """A child that the worker leaves behind would hold its channels open."""
        self._process.wait()
        self._kill()

    def _write(self) -> None:
        assert self._process.stdin is not None
        while (line := self._lines.get()) is not None:
            try:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                return  # it is gone; the end of its output says so

    def _keep_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(cut_lines(self._process.stderr, _LONGEST_KEPT))

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):  # what was not written is of no use any more
                stream.close()
