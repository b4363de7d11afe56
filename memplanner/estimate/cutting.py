"""Which blocks are cut away before recording."""

from __future__ import annotations

from copy import deepcopy
from math import lcm

from torch import nn

from memplanner.estimate.periods import KEPT, Cut
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan


def cuts(module: nn.Module, plan: Plan) -> tuple[Cut, ...]:
    """The runs of alike blocks that are long enough to be worth folding.

    None where the plan names single blocks, which then are not alike.
    """
    if names_single_blocks(plan):
        return ()
    checkpointing = plan.activation_checkpointing
    every = checkpointing.every if checkpointing.policy == "every_n" else 1
    found: list[Cut] = []
    for blocks in block_lists(module):
        for run in sorted(blocks.runs, key=lambda run: run.start - run.stop)[:1]:
            period = lcm(run.period, every)
            periods = run.period * run.count // period
            if periods > KEPT:
                found.append(Cut(blocks.path, run.start, period, periods))
    return tuple(found)


_PART_OF_AN_INDEX = frozenset("0123456789[]!-?*")


def names_single_blocks(plan: Plan) -> bool:
    """Whether a section names blocks by number (``layers.3``, ``layers.[0-3]``), or takes some out.

    Which go is a share of all of them, which a cut module does not show.
    """
    pruning = plan.pruning
    if pruning.structure == "structured" and pruning.block_ratio:
        return True
    names = [
        *plan.adapters.target_modules,
        *plan.quantization.target_modules,
        *pruning.target_modules,
    ]
    parts = [part for name in names for part in name.split(".")]
    return any(_PART_OF_AN_INDEX.issuperset(part) and part.strip("*") for part in parts)


def cut_module(module: nn.Module, cuts: tuple[Cut, ...]) -> nn.Module:
    """The module with the cut blocks removed, in place.

    Removed are the last periods of each run; what stands behind a run keeps its place modulo the
    period, so lists of the configuration that are indexed by block still agree.
    """
    for cut in cuts:
        del _container(module, cut)[cut.start + KEPT * cut.period : cut.stop]
    return module


def copy_cut(module: nn.Module, cuts: tuple[Cut, ...]) -> nn.Module:
    """A copy of the module without the cut blocks, which are not copied either."""
    containers = [_container(module, cut) for cut in cuts]
    whole = [dict(container._modules) for container in containers]
    try:
        return deepcopy(cut_module(module, cuts))
    finally:
        for container, blocks in zip(containers, whole, strict=True):
            container._modules = blocks


def _container(module: nn.Module, cut: Cut) -> nn.ModuleList | nn.Sequential:
    container = module.get_submodule(cut.path)
    assert isinstance(container, (nn.ModuleList, nn.Sequential))
    return container
