"""Which blocks are cut away before recording."""

from __future__ import annotations

from math import lcm

from torch import nn

from memplanner.estimate.fold import KEPT, Cut
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan


def cuts(module: nn.Module, plan: Plan) -> tuple[Cut, ...]:
    """The runs of alike blocks that are long enough to be worth folding.

    None where the plan names single blocks, which then are not alike.
    """
    if any(part.isdigit() for name in plan.adapters.target_modules for part in name.split(".")):
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


def cut_module(module: nn.Module, cuts: tuple[Cut, ...]) -> nn.Module:
    """The module with the cut blocks removed, in place.

    Removed are the last periods of each run; what stands behind a run keeps its place modulo the
    period, so lists of the configuration that are indexed by block still agree.
    """
    for cut in cuts:
        container = module.get_submodule(cut.path)
        first = cut.start + KEPT * cut.period
        last = cut.start + cut.periods * cut.period
        assert isinstance(container, (nn.ModuleList, nn.Sequential))
        del container[first:last]
    return module
