"""What the parent knows of a run: enough for a result where the worker sends none."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from memplanner.masking import mask
from memplanner.messages.estimate import Phase
from memplanner.messages.run import Outcome, RunEvent, RunResult, RunSample, RunStarted, RunStep
from memplanner.run.kernel_kills import kernel_kills
from memplanner.run.out_of_memory import advice
from memplanner.run.request import RunRequest
from memplanner.run.wording import stopped_after

_LONGEST = 300
_FRAME = re.compile(r'File "(.+)", line (\d+)')
_NOT_MEASURED = "The run ended before it could be measured."


class Followed:
    """A run as its events tell it."""

    def __init__(self, request: RunRequest) -> None:
        self._request = request
        self._since = monotonic()
        self._kills = kernel_kills()
        self._losses: list[float] = []
        self._seconds: list[float] = []
        self._phase = ""
        self.started = False
        self.reserved_by_phase: dict[Phase, int] = {}
        """The highest that torch's allocator had reserved, as the sampler saw it."""

    @property
    def seconds(self) -> float:
        """Since the run was asked for."""
        return monotonic() - self._since

    def note(self, event: RunEvent) -> None:
        """Takes one event."""
        if isinstance(event, RunStarted):
            self.started = True
        elif isinstance(event, RunSample):
            self._phase = event.phase.replace("_", " ")
            if event.reserved_bytes is not None:
                before = self.reserved_by_phase.get(event.phase, 0)
                self.reserved_by_phase[event.phase] = max(before, event.reserved_bytes)
        elif isinstance(event, RunStep):
            if event.loss is not None:
                self._losses.append(event.loss)
            self._seconds.append(event.step_seconds)

    def stopped(self) -> RunResult:
        """The worker was told to stop at once, and ended or was ended."""
        word = self._request.plan.inference.round
        return self._result("stopped", stopped_after(len(self._seconds), word))

    def died(self, code: int, errors: Sequence[str]) -> RunResult:
        """The worker ended by itself, with a return code as ``subprocess`` has it.

        ``errors`` are the last lines that it wrote to standard error.
        """
        name, where = self._request.model.name, self._phase
        during = f" in {where}" if where else ""
        kills = kernel_kills()
        killed = sys.platform != "win32" and code == -signal.SIGKILL
        if killed and kills is not None and kills == self._kills:
            return self._result(
                "failed",
                f"The run of {name} was ended from outside with SIGKILL{during}, and not for want "
                "of memory; find what ended it, or run it again.",
            )
        if killed:
            hint = advice(self._request.plan, self._request.predicted)
            sentence = (
                f"The system killed the run of {name}{during}, most likely since the machine's "
                f"memory ran out; {hint}."
            )
            return self._result("out_of_memory", sentence, where)
        if code < 0:
            how = _signal_name(-code) + during + _crashed_line(errors)
            sentence = (
                f"The run of {name} crashed with {how}; "
                "the fault is in native code that the model calls, so update or replace it."
            )
        else:
            last = next((line.strip() for line in reversed(errors) if line.strip()), "")
            said = f" ({mask(last[:_LONGEST])})" if last else ""
            sentence = (
                f"The run of {name} ended itself with exit code {code}{during}{said}; "
                "correct what ends the process in its source."
            )
        return self._result("failed", sentence)

    def _result(self, outcome: Outcome, sentence: str, where: str = "") -> RunResult:
        request = self._request
        return RunResult(
            outcome=outcome,
            sentence=sentence,
            model=request.model,
            device=request.device,
            plan=request.plan,
            predicted=request.predicted,
            measured=None,
            error=None,
            steps=len(self._seconds),
            losses=tuple(self._losses),
            step_seconds=tuple(self._seconds),
            where=where,
            notes=(_NOT_MEASURED,) if self._seconds else (),
            seconds=self.seconds,
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _crashed_line(errors: Sequence[str]) -> str:
    """Such as `` at line 12 of model.py``: the innermost of the thread that crashed.

    ``faulthandler`` dumps every thread, the innermost line first.
    """
    current = False
    for line in errors:
        current = current or line.startswith("Current thread")
        match = _FRAME.search(line) if current else None
        if match:
            return f" at line {match[2]} of {Path(match[1]).name}"
    return ""
