"""What recomputed blocks keep, in the exported script."""

from __future__ import annotations

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
from memplanner.techniques.checkpointed_modules import named_modules
from memplanner.techniques.checkpointed_operations import EVERY_SECOND, kernels_of
from memplanner.techniques.kept_within_budget import BlockClass, Choice, Operations
from memplanner.techniques.prepare import no_context, transform
from memplanner.techniques.target import Target


def checkpointing_values(module: nn.Module, subject: Subject) -> dict[str, Any]:
    """What the template reads of policies that choose; ``module`` is the weightless model.

    Raises ``PlanError`` as their choice does.
    """
    section = subject.plan.activation_checkpointing
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
        "kept_kernels": kernels,
        "halved_products": halved,
        "keeps_products": section.operations == PRODUCTS,
        "kept_by_block": literal(rows, before=7),
    }


def _recomputed(module: nn.Module, subject: Subject) -> tuple[str, ...]:
    """The modules that are recomputed by name, as they are called when nothing wraps them yet."""
    model, plan = subject.model, subject.plan
    section = plan.activation_checkpointing
    if section.policy != "named":
        return ()
    if plan.pruning.structure == "structured":  # which may leave fewer blocks
        before = Plan(precision=plan.precision, pruning=plan.pruning)
        target = Target.of(subject.device)
        module = transform(deepcopy(module), model, before, target, no_context, META)
    return tuple(named_modules(module, section.modules))


def _rows(subject: Subject, found: Choice) -> list[tuple[str, int, int, list[tuple[str, int]]]]:
    """Of runs of blocks that keep the same: their list, the first, the one after the last, what."""
    blocks: list[tuple[BlockClass, Any]] = []

    def collect(each: Any) -> list[None]:
        blocks.extend(each)
        return [None] * len(each)

    model, plan = subject.model, subject.plan
    transform(
        model.build(META), model, plan, Target.of(subject.device), no_context, META, kept=collect
    )
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
