"""What a run would do, worked out by the same checks, with nothing started or written."""

from __future__ import annotations

from pathlib import Path

from memplanner.estimate import Prediction
from memplanner.hardware import host_memory
from memplanner.history import default_path
from memplanner.messages.device import Device
from memplanner.messages.intention import RunIntention
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.request import RunRequest
from memplanner.run.requested import RunOptions, requested
from memplanner.run.wording import counted
from memplanner.units import format_bytes, format_duration

_LEAVES_ALONE = (
    "Other processes, the device's settings and the model's own files are left as they are."
)


def intention(
    model: Model,
    plan: Plan | None = None,
    device: Device | str = "auto",
    *,
    steps: int = 3,
    data: str | None = None,
    force: bool = False,
    history: Path | None = None,
    quality: bool = True,
    save: str | Path | None = None,
) -> RunIntention:
    """What ``run.apply`` would do with the same arguments. Raises ``RunError`` where it would."""
    options = RunOptions(steps=steps, data=data, force=force, quality=quality, save=save)
    request, prediction = requested(model, plan, device, options)
    limit_bytes = _limit_bytes(request)
    low, high = _seconds(request, prediction)
    kept = default_path() if history is None else history
    reads = (request.source, *(() if data is None else (data,)))
    writes = (str(kept), *(() if request.save is None else (request.save,)))
    return RunIntention(
        device=request.device,
        plan=request.plan,
        steps=steps,
        processes=len(request.ranks) + 1,
        predicted=request.predicted,
        limit_bytes=limit_bytes,
        low_seconds=low,
        high_seconds=high,
        reads=reads,
        writes=writes,
        sentences=tuple(_sentences(request, prediction, limit_bytes, (low, high), str(kept))),
    )


def _limit_bytes(request: RunRequest) -> int | None:
    """As ``run/memory_limit.py`` caps a process."""
    if request.device.kind == "cpu":
        return host_memory().available_bytes // max(len(request.ranks), 1)
    return request.device.free_bytes


def _seconds(request: RunRequest, prediction: Prediction) -> tuple[float | None, float | None]:
    time = prediction.time
    if time is None:
        return None, None
    return time.low_seconds * request.steps, time.high_seconds * request.steps


def _sentences(
    request: RunRequest,
    prediction: Prediction,
    limit_bytes: int | None,
    seconds: tuple[float | None, float | None],
    kept: str,
) -> list[str]:
    device, ranks = request.device, len(request.ranks)
    where = f"{ranks} ranks, each a process," if ranks else "a process of its own"
    steps = counted(request.steps, request.plan.inference.round)
    said = [f"Runs {steps} of {request.model.name} on {device.name}, in {where}."]
    low, high = seconds
    if low is not None and high is not None:
        range_ = f"{format_duration(low)} to {format_duration(high)}"
        said[0] = f"{said[0][:-1]}; that takes {range_}, and the start some seconds more."
    peak = f"The estimate is {format_bytes(request.predicted.allocated_bytes)}"
    each = " a rank at most" if ranks else ""
    if limit_bytes is None:
        said.append(f"{peak}{each}; nothing limits what it takes.")
    else:
        what = "of the machine's memory" if device.kind == "cpu" else "of the card"
        said.append(
            f"{peak}{each}; more than {format_bytes(limit_bytes)} {what} is refused to it, which "
            "is what is free now."
        )
    said.append("Ends by itself before the machine's memory runs out.")
    if request.data is None:
        said.append("Trains on made-up data of the planned shape.")
    else:
        said.append(f"Reads {request.data} to train on.")
    if request.save is not None:
        said.append(f"Saves the compressed model as the new folder {request.save}.")
    said.append(f"Adds what it measures to {kept}.")
    said.append(_LEAVES_ALONE)
    return said
