"""From a whole model to the stages of one rank."""

from __future__ import annotations

import copy
from collections.abc import Collection

from torch import nn

from memplanner.errors import PlanError
from memplanner.model.blocks import PART_OF_BLOCKS, set_block_numbers
from memplanner.model.loaded import Model
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.pipeline_anatomy import META, anatomy
from memplanner.techniques.parallel.pipeline_parts import Part, deal_blocks, parts_of_rank
from memplanner.techniques.parallel.stages import Stages, check_handed_on, copy_out, cut


def parts_for(
    model: Model, section: Sharding, rank: int, module: nn.Module | None = None
) -> tuple[Part, ...]:
    """The stages of one rank; ``module`` is the model's weightless copy, where there is one.

    Raises ``PlanError`` where the model cannot be cut as the plan says.
    """
    found = anatomy(model, module)
    if found.tied and section.tensor > 1:
        raise PlanError(
            f"Embedding and head of {found.name} share a weight, of which tensor parallel would "
            "split one end only; choose sharding.tensor=1 or sharding.pipeline=1."
        )
    parts = deal_blocks(found.block_bytes, found.before_bytes, found.after_bytes, section)
    return parts_of_rank(parts, section, rank)


def cut_for_rank(module: nn.Module, model: Model, section: Sharding, rank: int) -> Stages:
    """The rank's stages of a whole module, which is used up; stages come back as they are."""
    if isinstance(module, Stages):
        return module
    return cut(module, anatomy(model), parts_for(model, section, rank))


def copy_for_rank(
    module: nn.Module, model: Model, parts: tuple[Part, ...], without: Collection[int] = ()
) -> Stages:
    """The stages ``parts`` of the model's weightless copy, which stays whole.

    Blocks ``without`` which they will be are not copied: the stage's first is in their places.
    Raises ``PlanError`` where a stage would change what it is given before its blocks.
    """
    found = anatomy(model, module)
    container = module.get_submodule(found.blocks)
    whole = container._modules
    stages = []
    for part in parts:
        first = whole[str(part.start)]
        container._modules = {
            name: first if int(name) in without and part.start <= int(name) < part.stop else block
            for name, block in whole.items()
        }
        try:
            stages.append(copy_out(module, found, part))
        finally:
            container._modules = whole
    batch = model.batch(1, found.length, META)
    for part, stage in zip(parts, stages, strict=True):
        check_handed_on(stage, found, part, batch)
    return Stages(found, parts, stages)


def outline_for_rank(module: nn.Module, model: Model, parts: tuple[Part, ...]) -> Stages:
    """The stages with the whole model's own modules, their blocks apart: to look at blocks."""
    found = anatomy(model, module)
    return Stages(found, parts, [_outline(module, found.blocks, part) for part in parts])


def _outline(module: nn.Module, path: str, part: Part) -> nn.Module:
    outline = container = _shallow(module)
    for name in path.split("."):
        child = container._modules[name]
        assert child is not None
        inner = container._modules[name] = _shallow(child)
        container = inner
    blocks = list(container._modules.values())[part.start : part.stop]
    container._modules = {str(place): block for place, block in enumerate(blocks)}
    set_block_numbers(container, range(part.start, part.stop))
    setattr(container, PART_OF_BLOCKS, True)
    return outline


def _shallow(module: nn.Module) -> nn.Module:
    copied = copy.copy(module)
    copied._modules = dict(module._modules)
    return copied
