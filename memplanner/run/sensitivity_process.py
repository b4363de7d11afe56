"""``sensitivity``: starts the process that measures, follows it, and returns what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memplanner import errors
from memplanner.errors import RunError
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.messages.sensitivity import Sensitivity, SensitivityEnd, SensitivityProgress
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.following import Silent, follow
from memplanner.run.sensitivity import CANDIDATES, check_sensitivity
from memplanner.run.sensitivity_worker import SensitivityRequest
from memplanner.run.stopping import StopSignal


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
    messages = SensitivityProgress, SensitivityEnd
    end = follow("memplanner.run.sensitivity_worker", request, messages, on_progress, stop)
    if end is None:
        raise RunError("Measuring was stopped; nothing was kept.")
    if isinstance(end, Silent):
        raise RunError(f"{request.source} could not be measured ({end.said}); correct its source.")
    if end.result is None:
        raise getattr(errors, end.error, RunError)(end.sentence)
    return end.result
