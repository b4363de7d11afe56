"""Pruning: zeros in linear layers, or a smaller module; what is left is trained.

Scores, masks and structures are in ``techniques/sparsity``; what may be taken from a model is
checked in ``techniques/pruned_structure``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.messages.cost import QualityReason
from memplanner.model.loaded import Batch, Model
from memplanner.plan import Plan
from memplanner.plan.per_layer import parse
from memplanner.plan.pruning import Pruning as Section
from memplanner.techniques.base import Situation, Technique, Told, reasons
from memplanner.techniques.layer_choice import chosen_layers, own_values
from memplanner.techniques.precision import autocast_type, stored_type
from memplanner.techniques.pruned_structure import (
    check_reload,
    checked_chains,
    checked_structure,
    says_heads,
    unsaid_parameters,
)
from memplanner.techniques.pruning_conflicts import by_threshold, pruning_conflicts
from memplanner.techniques.sparsity.gradual import GradualZeros, Schedule
from memplanner.techniques.sparsity.matrices import matrix
from memplanner.techniques.sparsity.structure import Smaller, make_smaller
from memplanner.techniques.sparsity.zeros import Zeros, put_zeros
from memplanner.techniques.target import Target

_QUALITY: Told = (
    "check_quality",
    "Weights are taken away: how much of it training makes up for depends on the task "
    "(Blalock et al. 2020, arXiv:2003.03033).",
)


class Pruning(Technique):
    """Takes weights, widths, heads or blocks away, in place."""

    name = "pruning"
    order = 22
    """After precision, whose type scores and masks have; before checkpointing, which counts blocks,
    and before quantization and adapters, which take what is left."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """What contradicts itself, or another section."""
        return tuple(pruning_conflicts(plan))

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with zeros, or smaller, in place."""
        section = situation.plan.pruning
        if section.structure == "none":
            return module
        weightless = next(module.parameters()).is_meta
        batches = () if weightless or not section.needs_data else _batches(module, situation)
        if section.structure == "structured":
            element_bytes = next(module.parameters()).element_size()
            paths = checked_structure(module, section, element_bytes)
            smaller, unsaid = planned_smaller(module, situation.model, section)
            make_smaller(module, smaller, paths, batches, situation.model.loss)
            check_reload(module, whole=section.block_ratio > 0, unsaid=unsaid)
            return module
        names = layer_names(module, section)
        zeros = zeros_of(situation.plan)
        if section.is_gradual:
            situation.after_steps.append(GradualZeros(module, names, zeros, schedule_of(section)))
            return module
        put_zeros(module, names, zeros, batches, situation.model.loss)
        if section.select == "threshold" and not weightless:
            _check_left(module, names, section)
        return module

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """Weights that are gone."""
        return reasons("pruning", None if plan.pruning.structure == "none" else _QUALITY)

    def compresses(self, plan: Plan) -> bool:
        """Whether anything is taken away before training."""
        return plan.pruning.structure != "none" and not plan.pruning.is_gradual

    def rebuild(self, module: nn.Module, situation: Situation) -> nn.Module:
        """Zeros get their masks or storage; what is smaller was built from a smaller config.

        But for heads and channels that no configuration tells of: they go again.
        """
        section = situation.plan.pruning
        if section.structure != "structured":
            return self.transform(module, situation)
        smaller, _ = planned_smaller(module, situation.model, section)
        if smaller.unsaid_heads or smaller.channels:
            heads = smaller.head_ratio if smaller.unsaid_heads else 0.0
            rest = replace(smaller, mlp_ratio=0.0, block_ratio=0.0, head_ratio=heads)
            make_smaller(module, rest)
        return module

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What it saves on this target: memory now, nothing, or on CUDA cards only."""
        section = plan.pruning
        if section.structure == "none":
            return ()
        notes = list(_effect(plan))
        if section.structure == "n_m" and (section.n, section.m) == (2, 4):
            where = "" if target.kind == "cuda" else f" and none on {target.kind}"
            notes.append(
                "2 of 4 is a speed-up only in CUDA's sparse kernels, for inference, which training "
                f"here does not use: no time is saved{where}."
            )
        if section.method == "sparsegpt":
            notes.append(
                "SparseGPT needs more tokens than a layer has inputs, or it fits those few alone: "
                "raise pruning.calibration_batches where batches are small."
            )
        if section.method == "taylor":
            notes.append(
                "Taylor scores take a gradient for every parameter once, before the first step."
            )
        if section.method == "fisher":
            notes.append(
                "Fisher scores take a gradient and 4 bytes for every parameter, in host memory "
                "before the first step, and a backward for every sample."
            )
        if section.is_gradual:
            notes.append(
                "Zeros are chosen while training, so nothing is judged before the first step. The "
                "prediction is of a step that chooses them, which takes most; other steps take "
                "less."
            )
        return notes


def layer_names(module: nn.Module, section: Section) -> list[str]:
    """The paths of the layers that get zeros, in the module's order.

    Raises ``PlanError``, also for rows that M does not divide.
    """
    names = chosen_layers(
        module,
        section,
        "pruning",
        verb="prune",
        off="structure=none",
        shared="which would get the same zeros",
    )
    if section.structure == "n_m":
        _check_rows(module, names, section)
    own_values(module, names, section.per_layer, "pruning")
    return names


def _check_left(module: nn.Module, names: Sequence[str], section: Section) -> None:
    """Raises ``PlanError`` where a threshold left a layer nothing."""
    for name in names:
        if not matrix(module.get_submodule(name)).any():
            raise PlanError(
                f"pruning.threshold={section.threshold:g} leaves no weight of {name}; choose a "
                "smaller one, or pruning.select=ratio."
            )


def _check_rows(module: nn.Module, names: Sequence[str], section: Section) -> None:
    for name in names:
        columns = matrix(module.get_submodule(name)).shape[1]
        if columns % section.m:
            raise PlanError(
                f"{name} has {columns} inputs, which pruning.m={section.m} does not divide; "
                f"choose an m that does, or pruning.structure=unstructured."
            )


def zeros_of(plan: Plan) -> Zeros:
    """What the section says of zeros."""
    section = plan.pruning
    return Zeros(
        method=section.method,
        ratio=section.ratio if section.structure == "unstructured" else 0.5,
        together=section.structure == "unstructured" and section.scope == "global",
        n_m=(section.n, section.m) if section.structure == "n_m" else None,
        kept_as=section.kept_as,
        compute_type=autocast_type(plan),
        threshold=section.threshold if by_threshold(section) else None,
        of_deviation=by_threshold(section) and section.threshold_of == "deviation",
        per_layer=tuple((pattern, float(value)) for pattern, value in parse(section.per_layer)),
    )


def schedule_of(section: Section) -> Schedule:
    """What the section says of when zeros are chosen, where that is while training."""
    return Schedule(
        section.schedule, section.first_step, section.last_step, section.every, section.exponent
    )


def planned_smaller(
    module: nn.Module, model: Model, section: Section
) -> tuple[Smaller, frozenset[str]]:
    """What becomes of the module, and the names of parameters whose new shape none can tell.

    That is the module's configuration. Raises ``PlanError``.
    """
    smaller, unsaid = smaller_of(section), set[str]()
    if section.head_ratio and not says_heads(module):
        smaller = replace(smaller, unsaid_heads=True)
        unsaid.update(unsaid_parameters(module))
    if section.channel_ratio:
        meta = torch.device("meta")
        parts = (*module.parameters(), *module.buffers())
        weightless = module if all(part.is_meta for part in parts) else model.build(meta)
        batch = _placed(model.batch(1, 1, meta), meta, next(weightless.parameters()).dtype)
        chains = checked_chains(module, weightless, batch, section)
        smaller = replace(smaller, channels=tuple(chain.names for chain in chains))
        unsaid.update(
            f"{name}.{own}"
            for chain in chains
            for name in chain.names
            for own in ("weight", "bias")
        )
    return smaller, frozenset(unsaid)


def smaller_of(section: Section) -> Smaller:
    """What the section says of structures."""
    return Smaller(
        every_attention=section.head_ratio > 0,
        channel_ratio=section.channel_ratio,
        method=section.method,
        mlp_ratio=section.mlp_ratio,
        head_ratio=section.head_ratio,
        block_ratio=section.block_ratio,
        by_influence=section.block_choice == "influence",
        width_multiple=section.width_multiple,
    )


def _effect(plan: Plan) -> Iterator[str]:
    section, trained = plan.pruning, plan.adapters.method == "none"
    if section.structure == "structured":
        yield "What structured pruning takes away saves memory now, and time."
    elif section.kept_as == "packed":
        yield (
            "Packed weights save memory now, and cost time: each product first expands its "
            "layer's weight, in forward and again in backward."
        )
    elif section.kept_as == "masks":
        yield (
            "Masks take more memory than no pruning: beside each weight a mask and their product, "
            "each as large; the zeros lie in dense storage (numerics only)."
        )
        if not trained:
            yield (
                "Frozen weights need no mask to stay zero: pruning.kept_as=zeros gives the same "
                "numbers for a third of the memory."
            )
    else:
        yield "Zeros in dense weights save no memory and no time (numerics only)."
        if trained:
            yield (
                "A full fine-tune fills the zeros again; pruning.kept_as=masks holds them, for "
                "more memory."
            )


def _batches(module: nn.Module, situation: Situation) -> list[Batch]:
    """The batches that scores are taken from, where the module lies and in its type."""
    plan, model = situation.plan, situation.model
    count = plan.pruning.calibration_batches
    found = list(islice(situation.calibration, count)) if situation.calibration else []
    device = next(module.parameters()).device
    if not found:
        training = plan.training
        limit = model.max_sequence_length
        length = training.sequence_length if limit is None else min(
            training.sequence_length, limit
        )  # fmt: skip
        found = [model.batch(training.batch_size, length, device) for _ in range(count)]
    return [_placed(batch, device, stored_type(plan)) for batch in found]


def _placed(batch: Batch, device: torch.device, dtype: torch.dtype) -> Batch:
    def placed(part: Any) -> Any:
        if not isinstance(part, torch.Tensor):
            return part
        return part.to(device, dtype if part.is_floating_point() else None)

    return {name: placed(part) for name, part in batch.items()}
