"""Which blocks are cut away before recording."""

from __future__ import annotations

from copy import deepcopy
from math import lcm

from torch import nn

from memplanner.estimate.named_blocks import runs_of_alike, sayings
from memplanner.estimate.periods import KEPT, Cut
from memplanner.model.blocks import block_lists, block_numbers, set_block_numbers
from memplanner.plan import Plan
from memplanner.plan.per_layer import names_by_number, parse
from memplanner.plan.sharding import Sharding
from memplanner.techniques.checkpointed_modules import OFFLOADED, named_modules
from memplanner.techniques.parallel.stages import Stages


def cuts(module: nn.Module, plan: Plan) -> tuple[Cut, ...]:
    """The runs of alike blocks that are long enough to be worth folding, list by list, in order.

    Of each list the longest, and others whose period goes with its own. Blocks of which the plan
    says something else by number are not alike. None where a cut module cannot show what happens.
    Raises ``PlanError`` for a name of the plan that chooses nothing, which a cut module cannot see.
    """
    if needs_all_blocks(plan):
        return ()
    checkpointing = plan.activation_checkpointing
    every = checkpointing.every if checkpointing.policy == "every_n" else 1
    said = sayings(plan)
    if said:
        check_names(module, plan)
    found: list[Cut] = []
    if isinstance(module, Stages):
        for part, stage in zip(module.parts, module.stages, strict=True):
            found += [cut.moved(part.start) for cut in cuts(stage, plan)]
        return tuple(found)
    for blocks in block_lists(module):
        runs = runs_of_alike(module, blocks, said) if said else blocks.runs
        longest = max(runs, key=lambda run: run.stop - run.start, default=None)
        period = every if longest is None else lcm(longest.period, every)
        for run in runs:
            periods = run.period * run.count // period
            if periods > KEPT and period % run.period == 0:
                found.append(Cut(blocks.path, run.start, period, periods))
    return tuple(found)


def check_names(module: nn.Module, plan: Plan) -> None:
    """Raises ``PlanError`` where a name of blocks chooses nothing in the whole module."""
    if plan.activation_checkpointing.policy == "named":
        named_modules(module, plan.activation_checkpointing.modules)
    if plan.activation_offload.to == "host":
        named_modules(module, plan.activation_offload.modules, OFFLOADED)


def needs_all_blocks(plan: Plan) -> bool:
    """Whether what happens to a block depends on all of them, or on numbers that a cut changes."""
    return _in_buckets(plan.sharding) or depends_on_place(plan)


def depends_on_place(plan: Plan) -> bool:
    """Whether what happens to a block depends on its number, or on the model's other blocks."""
    pruning = plan.pruning
    if pruning.structure == "structured" and pruning.block_ratio:
        return True
    if plan.distillation.compares_layers:  # which layer learns from which depends on their numbers
        return True
    if pruning.is_gradual and pruning.scope == "global":
        return True  # the border is searched over all layers again and again
    rebuilt = pruning.structure == "structured" or plan.distillation.student != "none"
    staged = plan.sharding.pipeline > 1
    if (rebuilt or staged) and sayings(plan):  # a rebuilt module or a stage has other numbers
        return True
    return names_by_number(
        [
            *plan.adapters.target_modules,
            *pruning.target_modules,
            *(pattern for pattern, _ in parse(pruning.per_layer)),
        ]
    )


def _in_buckets(sharding: Sharding) -> bool:
    """Whether gradients are reduced in buckets, which hold several blocks'."""
    reduced = sharding.ranks > 1 and sharding.gradient_degree > 1
    return reduced and sharding.data in {"replicated", "zero_1"}


def cut_away(cuts: tuple[Cut, ...]) -> frozenset[int]:
    """The numbers of the blocks that are removed, of a model with one list of them."""
    return frozenset(
        number for cut in cuts for number in range(cut.start + KEPT * cut.period, cut.stop)
    )


def cut_module(module: nn.Module, cuts: tuple[Cut, ...]) -> nn.Module:
    """The module with the cut blocks removed, in place.

    Removed are the last periods of each run; what stands behind a run keeps its place modulo the
    period, so lists of the configuration that are indexed by block still agree.
    """
    if isinstance(module, Stages):
        return _cut_stages(module, cuts)
    for cut in reversed(cuts):  # so that numbers in front still hold
        container = _container(module, cut)
        numbers = block_numbers(container)
        gone = slice(cut.start + KEPT * cut.period, cut.stop)
        del container[gone], numbers[gone]
        set_block_numbers(container, numbers)
    return module


def _cut_stages(module: Stages, cuts: tuple[Cut, ...]) -> Stages:
    """The same for each stage; unfolding the cuts in order gives all blocks their numbers again."""
    removed = 0
    for place, (part, stage) in enumerate(zip(module.parts, module.stages, strict=True)):
        own = [cut for cut in cuts if part.start <= cut.start < part.stop]
        cut_module(stage, tuple(cut.moved(-part.start) for cut in own))
        module.numbered_from[place] = part.start - removed
        removed += sum((cut.periods - KEPT) * cut.period for cut in own)
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
            set_block_numbers(container, None)


def _container(module: nn.Module, cut: Cut) -> nn.ModuleList | nn.Sequential:
    container = module.get_submodule(cut.path)
    assert isinstance(container, (nn.ModuleList, nn.Sequential))
    return container
