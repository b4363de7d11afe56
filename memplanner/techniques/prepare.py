"""A plan carried out on a model: the same for the weightless copy and the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
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
from memplanner.techniques.base import RecomputeContext, Situation, Technique
from memplanner.techniques.optimizer import make_optimizer
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
    for technique in techniques():
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
) -> nn.Module:
    """The module with every technique applied, in order; ``witness`` sees what compression does."""
    situation = Situation(model, plan, target, recompute, device, calibration)
    compressing = [] if witness is None else compression(plan)
    for technique in techniques():
        if witness is not None and technique in compressing[:1]:
            witness.before(module)
        module = technique.transform(module, situation)
        if witness is not None and technique in compressing[-1:]:
            witness.after(module)
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
) -> Prepared:
    """The model built on ``device`` with the plan applied, and its optimizer.

    ``module`` is used instead of building one (weights loaded already, or blocks cut away). It may
    lie in host memory, where it does not fit on the device before it is quantized or pruned;
    scores are taken from ``calibration``, or from batches that the model makes up.
    Raises ``PlanError`` where the plan cannot be carried out on this model or target.
    """
    check(plan, target)
    built = model.build(device) if module is None else module
    built.train()
    built = transform(built, model, plan, target, recompute, device, calibration, witness)
    if any(part.device.type != device.type for part in built.parameters()):
        built = built.to(device)
    trainable = [parameter for parameter in built.parameters() if parameter.requires_grad]
    if not trainable:
        raise PlanError(f"{model.name} has no trainable parameter; unfreeze some in its source.")
    notes = [note for technique in techniques() for note in technique.notes(plan, target)]
    optimizer = make_optimizer(built, plan, target)
    return Prepared(model, plan, target, built, optimizer, model.loss, tuple(notes))


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
