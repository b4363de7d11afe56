"""From a whole model to the stages of one rank."""

from __future__ import annotations

from torch import nn

from memplanner.errors import PlanError
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


def copy_for_rank(module: nn.Module, model: Model, parts: tuple[Part, ...]) -> Stages:
    """The stages ``parts`` of the model's weightless copy, which stays whole.

    Raises ``PlanError`` where a stage would change what it is given before its blocks.
    """
    found = anatomy(model, module)
    stages = [copy_out(module, found, part) for part in parts]
    batch = model.batch(1, found.length, META)
    for part, stage in zip(parts, stages, strict=True):
        check_handed_on(stage, found, part, batch)
    return Stages(found, parts, stages)
