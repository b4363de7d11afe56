"""Pruning: zeros in linear layers, or a smaller module; what is left is trained.

Scores, masks and structures are in ``techniques/sparsity``; what may be taken from a model is
checked in ``techniques/pruned_structure``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.model.loaded import Batch
from memplanner.plan import Plan
from memplanner.plan.pruning import Pruning as Section
from memplanner.techniques.base import Situation, Technique
from memplanner.techniques.layer_choice import chosen_layers
from memplanner.techniques.precision import autocast_type, stored_type
from memplanner.techniques.pruned_structure import check_reload, checked_structure
from memplanner.techniques.sparsity.matrices import matrix
from memplanner.techniques.sparsity.structure import Smaller, make_smaller
from memplanner.techniques.sparsity.zeros import Zeros, put_zeros
from memplanner.techniques.target import Target


class Pruning(Technique):
    """Takes weights, widths, heads or blocks away, in place."""

    name = "pruning"
    order = 22
    """After precision, whose type scores and masks have; before checkpointing, which counts blocks,
    and before quantization and adapters, which take what is left."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """What contradicts itself, or another section."""
        section = plan.pruning
        if section.structure == "none":
            return ()
        if section.structure == "structured":
            return tuple(_structured_conflicts(section))
        return (*_zeros_conflicts(section), *_storage_conflicts(plan))

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
            make_smaller(module, smaller_of(section), paths, batches, situation.model.loss)
            check_reload(module, whole=section.block_ratio > 0)
        else:
            names = layer_names(module, section)
            zeros = zeros_of(situation.plan)
            put_zeros(module, names, zeros, batches, situation.model.loss)
        return module

    def compresses(self, plan: Plan) -> bool:
        """Whether anything is taken away."""
        return plan.pruning.structure != "none"

    def rebuild(self, module: nn.Module, situation: Situation) -> nn.Module:
        """Zeros get their masks or storage; what is smaller was built from a smaller config."""
        if situation.plan.pruning.structure == "structured":
            return module
        return self.transform(module, situation)

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
    return names


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
    )


def smaller_of(section: Section) -> Smaller:
    """What the section says of structures."""
    return Smaller(
        method=section.method,
        mlp_ratio=section.mlp_ratio,
        head_ratio=section.head_ratio,
        block_ratio=section.block_ratio,
        by_influence=section.block_choice == "influence",
        width_multiple=section.width_multiple,
    )


def _structured_conflicts(section: Section) -> Iterator[str]:
    if section.method == "sparsegpt":
        yield (
            "pruning.method=sparsegpt chooses single weights, not widths or heads; choose taylor, "
            "wanda or magnitude, or pruning.structure=unstructured."
        )
    if not (section.mlp_ratio or section.head_ratio or section.block_ratio):
        yield (
            "pruning.structure=structured takes nothing away with every ratio 0; set "
            "pruning.mlp_ratio, head_ratio or block_ratio, or choose pruning.structure=none."
        )


def _zeros_conflicts(section: Section) -> Iterator[str]:
    if section.structure == "n_m" and section.n >= section.m:
        yield (
            f"pruning.n={section.n} of pruning.m={section.m} takes nothing away; choose n below m."
        )
    if section.structure == "unstructured" and section.scope == "global":
        if section.method in ("wanda", "sparsegpt"):
            yield (
                f"pruning.method={section.method} compares weights inside a layer, so "
                "pruning.scope=global has no meaning for it; choose per_layer, or magnitude."
            )
        if section.kept_as == "packed":
            yield (
                "pruning.scope=global leaves each layer as much as its values decide, so packed "
                "sizes cannot be planned; choose pruning.scope=per_layer or pruning.kept_as=zeros."
            )


def _storage_conflicts(plan: Plan) -> Iterator[str]:
    section = plan.pruning
    quantized = plan.quantization.method != "none"
    if quantized and section.kept_as != "zeros":
        yield (
            f"pruning.kept_as={section.kept_as} and quantization.method="
            f"{plan.quantization.method} each store the same weights their own way; choose "
            "pruning.kept_as=zeros or quantization.method=none."
        )
    if section.kept_as == "packed" and plan.adapters.method == "none":
        yield (
            "pruning.kept_as=packed freezes the weights it packs, so they cannot be fine-tuned in "
            "full; choose adapters.method=lora or pruning.kept_as=masks."
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
