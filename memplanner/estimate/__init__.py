"""From a model, a plan and a device to a prediction."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter

from memplanner.errors import DeviceError
from memplanner.estimate.deepspeed import records_for
from memplanner.estimate.on_device import on_device
from memplanner.estimate.over_ranks import predict_ranks
from memplanner.estimate.prediction import Prediction
from memplanner.estimate.recorder import recorder
from memplanner.estimate.step_time_measured import Timed
from memplanner.estimate.step_time_message import stated_seconds, step_time
from memplanner.estimate.workspaces import with_workspaces
from memplanner.garbage import without_collection
from memplanner.hardware import find_device
from memplanner.hardware.libraries import GRAD_SCALER_BYTES, product_workspaces
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.techniques.distilled_model import planned_model
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target

__all__ = ["Prediction", "estimate", "recorder", "standing_workspaces"]


def estimate(
    model: Model,
    plan: Plan | None = None,
    device: Device | str = "cpu",
    *,
    calibration: CalibrationRecord | None = None,
    rank: int | None = None,
) -> Prediction:
    """What one steady training step of ``model`` under ``plan`` takes on ``device``.

    ``calibration`` is what runs on that very card have shown (``memplanner.history``). Of a plan
    over several cards it is that of the fullest, or of ``rank``. Raises
    ``DeviceError`` for an unknown device, ``PlanError`` where the plan cannot be carried out on
    this model, ``EstimateError`` where the step cannot be run without weights.

    >>> from memplanner.model import load
    >>> plan = Plan().with_values({"training.batch_size": 8})
    >>> of_step = estimate(load("preset:smollm2-135m"), plan, "H100 80GB")
    >>> of_step.peak.allocated_bytes, of_step.peak.phase, of_step.verdict
    (24325929448, 'backward', 'fits')
    """
    started = perf_counter()
    chosen = find_device(device) if isinstance(device, str) else device
    planned = Plan() if plan is None else plan
    target = Target.of(chosen)
    if planned.distillation.student != "none":
        check(planned, target)  # before a student is looked for
    model = planned_model(model, planned)
    records = records_for(recorder(model), planned)
    environment = dict(os.environ)  # torch in the run reads its settings from the same
    standing, trouble = (
        ((), "") if model.parameters_only else standing_workspaces(planned, chosen, environment)
    )

    timed = None if calibration is None else Timed(calibration.timed, calibration.judged)

    def predict(number: int) -> Prediction:
        of_rank = replace(target, rank=number)
        tape, method = records.tape(planned, of_rank)
        return Prediction(
            model,
            planned,
            chosen,
            with_workspaces(tape, standing),
            exact=lambda: with_workspaces(records.exact(planned, of_rank), standing),
            prepare_changes=lambda: records.prepare_changes(planned, of_rank),
            on_device=lambda whole, allocated_bytes: on_device(
                whole, allocated_bytes, planned, chosen, environment, calibration
            ),
            method=method,
            time=lambda rank: step_time(recorder(model), planned, chosen, timed, rank),
            stated_seconds=lambda rank: stated_seconds(recorder(model), planned, chosen, rank),
            judged=None if timed is None else timed.judged(model.name, planned),
            notes=(trouble,) if trouble else (),
            seconds=perf_counter() - started,
        )

    with without_collection():
        return predict_ranks(planned.sharding, predict, rank)


def standing_workspaces(
    plan: Plan, device: Device, environment: Mapping[str, str]
) -> tuple[tuple[int, ...], str]:
    """What libraries and the loss scaler keep of the device's memory, in bytes; what is wrong."""
    scaler = GRAD_SCALER_BYTES if plan.precision == "fp16_mixed" and device.kind != "cpu" else ()
    try:
        return product_workspaces(device, environment) + scaler, ""
    except DeviceError as error:
        return product_workspaces(device, {}) + scaler, str(error)
