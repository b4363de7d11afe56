"""From a model, a plan and a device to a prediction."""

from __future__ import annotations

from time import perf_counter

from memplanner.estimate.prediction import Prediction
from memplanner.estimate.recorder import recorder
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.techniques.target import Target

__all__ = ["Prediction", "estimate", "recorder"]


def estimate(model: Model, plan: Plan | None = None, device: Device | str = "cpu") -> Prediction:
    """What one steady training step of ``model`` under ``plan`` takes on ``device``.

    Raises ``DeviceError`` for an unknown device, ``PlanError`` where the plan cannot be carried
    out on this model, ``EstimateError`` where the step cannot be run without weights.
    """
    started = perf_counter()
    chosen = find_device(device) if isinstance(device, str) else device
    planned = Plan() if plan is None else plan
    target = Target.of(chosen)
    records = recorder(model)
    tape, method = records.tape(planned, target)
    return Prediction(
        model,
        planned,
        chosen,
        tape,
        exact=lambda: records.exact(planned, target),
        prepare_changes=lambda: records.prepare_changes(planned, target),
        method=method,
        seconds=perf_counter() - started,
    )
