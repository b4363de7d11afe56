"""A run before anything of it starts: what would be asked of the worker, or why it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from memplanner.errors import RunError
from memplanner.estimate import Prediction, estimate
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.ranks_request import (
    check_host_memory,
    check_ranks,
    device_for,
    rank_predictions,
)
from memplanner.run.request import RunRequest
from memplanner.run.saving import check_save
from memplanner.units import format_bytes


class RunOptions(TypedDict):
    """What ``run.apply`` and ``run.intention`` are asked beside model, plan and device."""

    steps: int
    data: str | None
    force: bool
    quality: bool
    save: str | Path | None


def requested(
    model: Model, plan: Plan | None, device: Device | str, options: RunOptions
) -> tuple[RunRequest, Prediction]:
    """The request of a run and what is predicted of it; ``run.apply`` says what they mean.

    Raises ``RunError``: when the estimate exceeds the free memory and not ``force``, the card is
    not here, or there is nothing to save.
    """
    steps, data, save = options["steps"], options["data"], options["save"]
    planned = Plan() if plan is None else plan
    chosen = device_for(device, planned) if isinstance(device, str) else device
    if steps < 1:
        raise RunError(f"steps is {steps}, but a run takes at least 1; ask for one or more.")
    if not chosen.local:
        raise RunError(f"{chosen.name} is not in this machine; run the plan with --device auto.")
    if model.parameters_only:
        raise RunError(
            f"{model.name} holds parameters but no forward, so no step can be run; "
            "open its config.json or a recipe."
        )
    if chosen.kind == "cpu" and planned.precision == "fp16_mixed":
        # accelerate would quietly train in fp32 (accelerate/accelerator.py: Accelerator.__init__)
        raise RunError("precision=fp16_mixed runs on cards only; choose bf16_mixed for the CPU.")
    if save is not None:
        save = str(Path(save).expanduser().absolute())
        check_save(model, planned, Path(save))
    if planned.sharding.ranks > 1:
        check_ranks(planned, chosen, save=save is not None)
    prediction = estimate(model, planned, chosen)
    ranks = rank_predictions(prediction)
    if not options["force"]:
        _check_memory(prediction)
        check_host_memory(ranks, chosen)
    request = RunRequest(
        source=model.source,
        inputs=model.inputs,
        trust_code=model.trust_code,
        model=prediction.model,
        plan=planned,
        device=chosen,
        steps=steps,
        data=data,
        quality=options["quality"],
        save=save,
        predicted=prediction.figures(),
        ranks=ranks,
    )
    return request, prediction


def _check_memory(prediction: Prediction) -> None:
    """Raises ``RunError`` where the estimate, or its high end, exceeds what is free."""
    device, peak = prediction.device, prediction.peak
    free_bytes = max(device.free_bytes or 0, 0)
    refusal = (
        f"{device.name} has {format_bytes(free_bytes)} free; change the plan, or force the run."
    )
    if prediction.verdict == "does_not_fit":
        own = peak.allocated_bytes
        if peak.device_bytes is not None:
            own = peak.device_bytes - device.used_bytes
        raise RunError(f"The plan takes {format_bytes(own)}, but {refusal}")
    if prediction.verdict == "at_risk" and peak.device_high_bytes is not None:
        most = peak.device_high_bytes - device.used_bytes
        if most > free_bytes:
            raise RunError(f"The plan may take up to {format_bytes(most)}, but {refusal}")
