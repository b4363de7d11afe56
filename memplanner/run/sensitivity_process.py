"""``sensitivity``: starts the process that measures, follows it, and returns what it found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from tempfile import TemporaryFile

from pydantic import TypeAdapter, ValidationError

from memplanner import errors
from memplanner.errors import RunError
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.messages.sensitivity import Sensitivity, SensitivityEnd, SensitivityProgress
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.sensitivity import CANDIDATES, check_sensitivity
from memplanner.run.sensitivity_worker import SensitivityRequest
from memplanner.run.stopping import StopSignal

_read: TypeAdapter[SensitivityProgress | SensitivityEnd] = TypeAdapter(
    SensitivityProgress | SensitivityEnd
)


def sensitivity(
    model: Model,
    plan: Plan | None = None,
    device: Device | str = "auto",
    *,
    data: str | None = None,
    candidates: Sequence[str] = CANDIDATES,
    on_progress: Callable[[SensitivityProgress], None] | None = None,
    stop: StopSignal | None = None,
) -> Sensitivity:
    """What each layer that ``plan.quantization`` chooses loses at each number of bits.

    It is measured on the source's own weights, in a process of its own, on the text ``data`` or
    the one that comes along, after the part that ``apply`` judges quality on. ``candidates`` are
    values of ``quantization.per_layer``. Raises ``PlanError`` where there is nothing to measure,
    and ``RunError`` where it was stopped or failed.
    """
    planned = Plan() if plan is None else plan
    chosen = find_device(device) if isinstance(device, str) else device
    if not chosen.local:
        raise RunError(f"{chosen.name} is not in this machine; measure with --device auto.")
    check_sensitivity(model, planned, candidates)
    request = SensitivityRequest(
        source=model.source,
        inputs=model.inputs,
        trust_code=model.trust_code,
        plan=planned,
        device=chosen,
        data=data,
        candidates=tuple(candidates),
    )
    end = _follow(request, on_progress, stop)
    if end is None:
        raise RunError("Measuring was stopped; nothing was kept.")
    if end.result is None:
        raise getattr(errors, end.error, RunError)(end.sentence)
    return end.result


def _follow(
    request: SensitivityRequest,
    on_progress: Callable[[SensitivityProgress], None] | None,
    stop: StopSignal | None,
) -> SensitivityEnd | None:
    """The worker's last word; None where it was stopped before. Raises ``RunError``."""
    with TemporaryFile() as printed:  # what user code prints is shown only where it fails
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "memplanner.run.sensitivity_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            with nullcontext() if stop is None else stop.heard_by(lambda now: _kill(worker)):
                with suppress(BrokenPipeError):  # it is gone; the end of its output says so
                    worker.stdin.write(request.model_dump_json(by_alias=True) + "\n")
                    worker.stdin.flush()
                for line in worker.stdout:
                    try:
                        event = _read.validate_json(line)
                    except ValidationError:
                        continue  # an empty line, or what a library printed
                    if isinstance(event, SensitivityEnd):
                        return event
                    if on_progress is not None:
                        on_progress(event)
        finally:
            _kill(worker)
            worker.wait()
            worker.stdout.close()
            with suppress(BrokenPipeError):
                worker.stdin.close()
        if stop is not None and stop.requested:
            return None
        printed.seek(0)
        lines = printed.read().decode("utf-8", "replace").strip().splitlines()
    said = lines[-1][:300] if lines else f"exit code {worker.returncode}"
    raise RunError(f"{request.source} could not be measured ({said}); correct its source.")


def _kill(worker: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all are gone already
        os.killpg(worker.pid, signal.SIGKILL)
