"""A run's batches with the logits that a teacher has computed before its first step."""

from __future__ import annotations

import gc
from dataclasses import replace

import torch

from memplanner.model.data import TrainingData
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.techniques.base import Situation
from memplanner.techniques.distillation import prepare_teacher
from memplanner.techniques.distilled_model import lesson_of
from memplanner.techniques.distilling.ahead import logits_ahead
from memplanner.techniques.precision import autocast_type, stored_type
from memplanner.techniques.prepare import no_context
from memplanner.techniques.target import Target


def with_logits_ahead(
    data: TrainingData, model: Model, plan: Plan, target: Target, device: torch.device, count: int
) -> TrainingData:
    """The first ``count`` micro-batches of ``data``, again and again, with the teacher's logits.

    ``model`` is the teacher, which is on ``device`` only here. What was computed waits in host
    memory, in the type of the plan's parameters, and comes to the device with its batch.
    """
    teacher = model.build(torch.device("cpu"))
    if model.load_weights is not None:
        model.load_weights(teacher)
    prepare_teacher(teacher, Situation(model, plan, target, no_context, device))
    taught = logits_ahead(
        teacher.to(device).eval(),
        data,
        count,
        lesson_of(plan.distillation),
        device,
        stored_type(plan),
        autocast_type(plan),
    )
    del teacher
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return replace(data, batches=taught)
