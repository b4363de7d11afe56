"""A plan carried out on a model: the same for the weightless copy and the real one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol

import torch
from torch import nn

import memplanner.techniques
from memplanner.errors import PlanError
from memplanner.model.loaded import Batch, Model
from memplanner.plan import Plan
from memplanner.plan.inference import ONLY_TRAINING
from memplanner.techniques.base import (
    AfterSteps,
    ChooseKept,
    RecomputeContext,
    Recurring,
    Situation,
    Technique,
)
from memplanner.techniques.distilled_model import AheadBatch, planned_model
from memplanner.techniques.distilling.pair import Distilled
from memplanner.techniques.inference import trains
from memplanner.techniques.kept_within_budget import Choice
from memplanner.techniques.optimizer import make_optimizer, recurring_in
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host
from memplanner.techniques.parallel.stages import Stages
from memplanner.techniques.precision import stored_type
from memplanner.techniques.target import Target


@dataclass(slots=True)
class Prepared:
    """A module with every section of its plan applied, and what a step of it needs."""

    model: Model
    plan: Plan
    target: Target
    module: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[Any], torch.Tensor]
    notes: tuple[str, ...]
    recurring: tuple[Recurring, ...] = ()
    """What only some steps do; one that does all of it takes most."""


@cache
def techniques() -> tuple[Technique, ...]:
    """Every technique, found by itself: one per module of this package, in order."""
    found: list[Technique] = []
    for module in iter_modules(memplanner.techniques.__path__):
        names = vars(import_module(f"memplanner.techniques.{module.name}")).values()
        found += [
            value()
            for value in names
            if isinstance(value, type)
            and issubclass(value, Technique)
            and value is not Technique
            and value.__module__.endswith("." + module.name)
        ]
    return tuple(sorted(found, key=lambda technique: (technique.order, technique.name)))


def at_work(plan: Plan) -> list[Technique]:
    """The techniques that have something to do: where nothing is trained, not all."""
    idle: Sequence[str] = () if trains(plan) else ONLY_TRAINING
    return [technique for technique in techniques() if technique.name not in idle]


class NoOptimizer(torch.optim.Optimizer):
    """Stands where nothing is trained: no parameters, no state."""

    def __init__(self) -> None:
        self.state = defaultdict(dict)
        self.param_groups = []


class Witness(Protocol):
    """Sees the module right before and right after its weights are compressed."""

    def before(self, module: nn.Module) -> None:
        """The next technique changes weights' values."""

    def after(self, module: nn.Module) -> None:
        """The last one that does is through; the module may lie in host memory still."""


def compression(plan: Plan) -> list[Technique]:
    """The techniques that change weights' values under this plan, in order."""
    return [technique for technique in techniques() if technique.compresses(plan)]


def check(plan: Plan, target: Target) -> None:
    """Raises ``PlanError`` with the first reason why the plan cannot be carried out."""
    for technique in at_work(plan):
        for reason in technique.conflicts(plan, target):
            raise PlanError(reason)


def transform(
    module: nn.Module,
    model: Model,
    plan: Plan,
    target: Target,
    recompute: RecomputeContext,
    device: torch.device | None = None,
    calibration: Iterator[Batch] | None = None,
    witness: Witness | None = None,
    after_steps: list[AfterSteps] | None = None,
    kept: ChooseKept | None = None,
) -> nn.Module:
    """The module with every technique applied, in order; ``witness`` sees what compression does.

    ``after_steps`` gets what techniques want done after optimizer steps; ``kept`` says what a
    budget of activations is spent on.
    """
    later = [] if after_steps is None else after_steps
    if isinstance(model.batch, AheadBatch):  # scores are taken from a student alone
        model = replace(model, batch=model.batch.plain)
    situation = Situation(model, plan, target, recompute, device, calibration, later, kept)
    compressing = [] if witness is None else compression(plan)
    for technique in at_work(plan):
        pair = module if isinstance(module, Distilled) and technique.of_student else None
        part = module if pair is None else pair.student
        if witness is not None and technique in compressing[:1]:
            witness.before(part)
        if isinstance(part, Stages) and technique.stages != "together":
            for place, stage in enumerate(part.stages):
                if technique.stages == "each" or part.parts[place].is_last:
                    part.replace(place, technique.transform(stage, situation))
        else:
            part = technique.transform(part, situation)
        if witness is not None and technique in compressing[-1:]:
            witness.after(part)
        if pair is None:
            module = part
        else:
            pair.student = part
    return module


def no_context(block: nn.Module) -> AbstractContextManager[object]:
    """What a recomputation needs on a real device: nothing, torch restores autocast itself."""
    return nullcontext()


def prepare(
    model: Model,
    plan: Plan,
    target: Target,
    device: torch.device,
    *,
    module: nn.Module | None = None,
    recompute: RecomputeContext = no_context,
    calibration: Iterator[Batch] | None = None,
    witness: Witness | None = None,
    kept: Choice | None = None,
) -> Prepared:
    """The model built on ``device`` with the plan applied, and its optimizer.

    ``module`` is used instead of building one (weights loaded already, or blocks cut away). It may
    lie in host memory, where it does not fit on the device before it is quantized or pruned;
    scores are taken from ``calibration``, or from batches that the model makes up; ``kept`` is the
    choice for a budget of activations (``memplanner.tape.checkpoint_survey``), which that policy
    needs. Raises ``PlanError`` where the plan cannot be carried out on this model or target.
    """
    check(plan, target)
    if module is None:
        model = planned_model(model, plan)
    if kept is None and trains(plan) and plan.activation_checkpointing.policy == "budget":
        raise TypeError("a plan with a budget of activations is prepared with a choice for it")
    built = model.build(device) if module is None else module
    built.train()
    after_steps: list[AfterSteps] = []
    built = transform(
        built, model, plan, target, recompute, device, calibration, witness, after_steps, kept
    )
    elsewhere = shares_lie_on_host(plan)  # and stay there
    if not elsewhere and any(part.device.type != device.type for part in built.parameters()):
        built = built.to(device)
    notes = [note for technique in at_work(plan) for note in technique.notes(plan, target)]
    if not trains(plan):
        return Prepared(model, plan, target, built, NoOptimizer(), model.loss, tuple(notes))
    trainable = [parameter for parameter in built.parameters() if parameter.requires_grad]
    if not trainable:
        raise PlanError(f"{model.name} has no trainable parameter; unfreeze some in its source.")
    if kept is not None:
        notes.append(kept.note)
    optimizer = make_optimizer(built, plan, target)
    for each in after_steps:
        optimizer.register_step_post_hook(each.step)
    recurring = (*after_steps, *recurring_in(optimizer))
    return Prepared(model, plan, target, built, optimizer, model.loss, tuple(notes), recurring)


def cast_batch(batch: Batch, plan: Plan) -> Batch:
    """The batch with floating tensors in the parameters' type, as half-precision models need."""
    kind = stored_type(plan)
    if kind is torch.float32:
        return batch
    return {
        name: value.to(kind) if isinstance(value, torch.Tensor) and value.is_floating_point()
        else value
        for name, value in batch.items()
    }  # fmt: skip
