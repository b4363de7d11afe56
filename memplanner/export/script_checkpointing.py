"""What recomputed blocks keep, and whose activations lie on the host, in the exported script."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from itertools import groupby
from typing import Any

from torch import nn

from memplanner.export.python_source import literal
from memplanner.export.script_data import META
from memplanner.export.target import Subject
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import PRODUCTS
from memplanner.tape.checkpoint_survey import choice
from memplanner.tape.ranks import weightless_ranks
from memplanner.techniques.checkpointed_modules import OFFLOADED, named_modules
from memplanner.techniques.checkpointed_operations import EVERY_SECOND, kernels_of
from memplanner.techniques.kept_within_budget import BlockClass, Choice, Operations
from memplanner.techniques.prepare import no_context, transform
from memplanner.techniques.target import Target


def checkpointing_values(module: nn.Module, subject: Subject) -> dict[str, Any]:
    """What the template reads of policies that choose; ``module`` is the weightless model.

    Raises ``PlanError`` as their choice does.
    """
    section = subject.plan.activation_checkpointing
    with _ranks(subject.plan):
        found = choice(subject.model, subject.plan, Target.of(subject.device))
    names: list[str] = []
    if section.policy == "selective":
        names = list(section.operations)
    rows = [] if found is None else _rows(subject, found)
    used = {name for *_, kept in rows for name, _ in kept}
    halved = "every_second_mm" in names and "mm" not in names
    kernels: list[Any] = [
        kernel for name in names if name not in EVERY_SECOND for kernel in kernels_of(name)
    ]
    if found is not None:
        kernels = [(kernel, name) for name in sorted(used) for kernel in kernels_of(name)]
    return {
        "recomputed": _recomputed(module, subject),
        "offloaded": _offloaded(module, subject),
        "kept_kernels": kernels,
        "halved_products": halved,
        "keeps_products": section.operations == PRODUCTS,
        "kept_by_block": literal(rows, before=7),
    }


def _recomputed(module: nn.Module, subject: Subject) -> tuple[str, ...]:
    """The modules that are recomputed by name, as they are called when nothing wraps them yet."""
    section = subject.plan.activation_checkpointing
    if section.policy != "named":
        return ()
    return tuple(named_modules(_pruned(module, subject), section.modules))


def _offloaded(module: nn.Module, subject: Subject) -> tuple[str, ...]:
    """The modules that alone keep their activations on the host; empty for the whole forward."""
    section = subject.plan.activation_offload
    if section.to == "none" or not section.modules:
        return ()
    return tuple(named_modules(_pruned(module, subject), section.modules, OFFLOADED))


def _pruned(module: nn.Module, subject: Subject) -> nn.Module:
    """The module with the blocks that structured pruning leaves of it."""
    plan = subject.plan
    if plan.pruning.structure != "structured":
        return module
    before = Plan(precision=plan.precision, pruning=plan.pruning)
    target = Target.of(subject.device)
    return transform(deepcopy(module), subject.model, before, target, no_context, META)


def _ranks(plan: Plan) -> AbstractContextManager[None]:
    """The other cards, which a weightless model is shared out to."""
    ranks = plan.sharding.ranks
    return nullcontext() if ranks == 1 else weightless_ranks(0, ranks)


def _rows(subject: Subject, found: Choice) -> list[tuple[str, int, int, list[tuple[str, int]]]]:
    """Of runs of blocks that keep the same: their list, the first, the one after the last, what."""
    blocks: list[tuple[BlockClass, Any]] = []

    def collect(each: Any) -> list[None]:
        blocks.extend(each)
        return [None] * len(each)

    model, plan, target = subject.model, subject.plan, Target.of(subject.device)
    with _ranks(plan):
        transform(model.build(META), model, plan, target, no_context, META, kept=collect)
    rows = []
    for path, own in groupby(zip(blocks, found(blocks), strict=True), lambda row: row[0][0][0]):
        each: list[Operations | None] = [kept for _, kept in own]
        start = 0
        for kept, run in groupby(each):
            stop = start + len(list(run))
            if kept is not None:
                rows.append((path, start, stop, sorted(kept)))
            start = stop
    return rows
