"""``apply``: starts the worker, follows its events, and always ends with a result."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic

from pydantic import ValidationError

from memplanner.errors import RunError
from memplanner.estimate import Prediction, estimate
from memplanner.messages.device import Device
from memplanner.messages.run import Outcome, RunEvent, RunResult
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.request import STOP_AFTER_STEP, STOP_NOW, RunRequest, read_event
from memplanner.run.stopping import StopSignal
from memplanner.units import format_bytes

_GRACE_SECONDS = 10.0
"""After its result, or after being told to stop at once, a worker has this long to be gone."""
_KEPT_LINES = 40


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
) -> RunResult:
    """Runs ``steps`` optimizer steps of the plan on the device, in a process of its own.

    ``data`` is a text file to train on; without it data of the planned shape is generated. Every
    event, the result included, goes to ``on_event``. Raises ``RunError`` before anything starts:
    when the estimate exceeds the free memory and not ``force``, or the card is not here.
    """
    planned = Plan() if plan is None else plan
    prediction = estimate(model, planned, device)
    _check(prediction, steps, force=force)
    request = RunRequest(
        source=model.source,
        inputs=model.inputs,
        trust_code=model.trust_code,
        plan=planned,
        device=prediction.device,
        steps=steps,
        data=data,
        predicted=prediction.figures(),
    )
    return _Worker(request, prediction, on_event).result(stop)


def _check(prediction: Prediction, steps: int, *, force: bool) -> None:
    device = prediction.device
    if steps < 1:
        raise RunError(f"steps is {steps}, but a run takes at least 1; ask for one or more.")
    if not device.local:
        raise RunError(f"{device.name} is not in this machine; run the plan with --device auto.")
    if prediction.parameters_only:
        raise RunError(
            f"{prediction.model.name} holds parameters but no forward, so no step can be run; "
            "open its config.json or a recipe."
        )
    if prediction.fits is False and not force:
        raise RunError(
            f"The plan takes {format_bytes(prediction.peak.allocated_bytes)}, but {device.name} has "
            f"{format_bytes(device.free_bytes or 0)} free; change the plan, or force the run."
        )


class _Worker:
    """The worker process, from its start to its end."""

    def __init__(
        self,
        request: RunRequest,
        prediction: Prediction,
        on_event: Callable[[RunEvent], None] | None,
    ) -> None:
        self._request, self._prediction, self._on_event = request, prediction, on_event
        self._errors: deque[str] = deque(maxlen=_KEPT_LINES)
        self._lock = Lock()
        self._asked_to_stop = False
        self._started = monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "memplanner.run.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )

    def result(self, stop: StopSignal | None) -> RunResult:
        """Follows the worker to its end; leaves no process behind."""
        assert self._process.stderr is not None
        reader = Thread(target=self._errors.extend, args=(self._process.stderr,), daemon=True)
        reader.start()
        try:
            self._send(self._request.model_dump_json(by_alias=True))
            if stop is not None:
                stop.listen(self._stop)
            result = self._follow()
        finally:
            self._end()
            reader.join()
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                if stream is not None:
                    _close(stream)
        if result is None:
            result = self._died()
        if self._on_event is not None:
            self._on_event(result)
        return result

    def _follow(self) -> RunResult | None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = read_event.validate_json(line)
            except ValidationError:
                continue  # a library wrote to the channel before it was the worker's own
            if isinstance(event, RunResult):
                return event
            if self._on_event is not None:
                self._on_event(event)
        return None

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        with self._lock:
            try:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                return  # it is gone; the end of its output says so

    def _stop(self, now: bool) -> None:
        self._asked_to_stop = True
        self._send(STOP_NOW if now else STOP_AFTER_STEP)
        if now:
            Thread(target=self._end, name="end of worker", daemon=True).start()

    def _end(self) -> None:
        """Waits for the worker to go, and makes it go if it does not."""
        try:
            self._process.wait(_GRACE_SECONDS if self._asked_to_stop else None)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        except KeyboardInterrupt:
            self._process.kill()
            self._process.wait()
            raise

    def _died(self) -> RunResult:
        """The worker ended without a result."""
        code = self._process.returncode
        name = self._prediction.model.name
        outcome: Outcome
        if self._asked_to_stop:
            outcome, sentence = "stopped", "Stopped at once; nothing was measured."
        elif code == -signal.SIGKILL:
            outcome = "out_of_memory"
            sentence = (
                f"The system killed the run of {name}, most likely since the machine's memory ran "
                "out; choose a smaller batch or sequence."
            )
        else:
            outcome = "failed"
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            last = next((line.strip() for line in reversed(self._errors) if line.strip()), "")
            sentence = f"The run of {name} ended with {how}: {last[:300] or 'it said nothing'}."
        return RunResult(
            outcome=outcome,
            sentence=sentence,
            model=self._prediction.model,
            device=self._request.device,
            plan=self._request.plan,
            predicted=self._request.predicted,
            measured=None,
            error=None,
            steps=0,
            losses=(),
            step_seconds=(),
            seconds=monotonic() - self._started,
        )


def _close(stream: object) -> None:
    try:
        stream.close()  # type: ignore[attr-defined]  # one of the three text streams
    except BrokenPipeError:
        return  # what was not written is of no use to a process that is gone
