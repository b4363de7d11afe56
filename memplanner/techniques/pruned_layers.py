"""The layers that get zeros, as the section ``pruning`` names them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from memplanner.errors import PlanError
from memplanner.plan.pruning import Pruning as Section
from memplanner.techniques.adapters import linear_names
from memplanner.techniques.sparsity.matrices import is_matrix, matrix


def layer_names(module: nn.Module, section: Section) -> list[str]:
    """The paths of the layers to prune, in the module's order.

    Raises ``PlanError`` for a name that is no such layer, for a layer whose weight another module
    uses too, for rows that M does not divide, or where there is none at all.
    """
    every = [
        name
        for name, child in module.named_modules()
        if is_matrix(child) and not isinstance(child, NonDynamicallyQuantizableLinear)
    ]  # nn.MultiheadAttention hands that one's weight to a function, and never calls it
    if section.layers == "named":
        _check_names(every, section.target_modules)
        chosen = {name for name in every if _is_named(name, section.target_modules)}
    elif section.layers == "all_but_head":
        chosen = set(linear_names(module)).intersection(every)
    else:
        chosen = set(every)
    if not chosen:
        raise PlanError(
            f"pruning.layers={section.layers} finds no linear layer to prune in this model; "
            "choose pruning.structure=none."
        )
    names = [name for name in every if name in chosen]
    _check_shared(module, names, section)
    if section.structure == "n_m":
        _check_rows(module, names, section)
    return names


def _is_named(name: str, wanted: Sequence[str]) -> bool:
    return any(
        fnmatchcase(name, each) or name == each or name.endswith("." + each) for each in wanted
    )


def _check_names(every: Sequence[str], wanted: Sequence[str]) -> None:
    known = sorted({name.rpartition(".")[2] for name in every})
    listed = ", ".join(known[:12])
    if not wanted:
        raise PlanError(
            f"pruning.layers=named needs names in pruning.target_modules; the layers are {listed}."
        )
    for each in wanted:
        if not any(_is_named(name, (each,)) for name in every):
            raise PlanError(
                f"pruning.target_modules names “{each}”, which is no linear layer of this model; "
                f"its layers are {listed}."
            )


def _check_shared(module: nn.Module, names: Sequence[str], section: Section) -> None:
    """Refuses a weight that another module reads too, such as a tied embedding's."""
    owners: dict[int, list[str]] = {}
    for path, child in module.named_modules():
        for parameter in child.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(path)
    choice = (
        "take it out of pruning.target_modules"
        if section.layers == "named"
        else "choose pruning.layers=all_but_head or name the others"
    )
    for name in names:
        layer: Any = module.get_submodule(name)
        others = [path for path in owners[id(layer.weight)] if path != name]
        if others:
            raise PlanError(
                f"{name} shares its weight with {others[0]}, which would get the same zeros; "
                f"{choice}."
            )


def _check_rows(module: nn.Module, names: Sequence[str], section: Section) -> None:
    for name in names:
        columns = matrix(module.get_submodule(name)).shape[1]
        if columns % section.m:
            raise PlanError(
                f"{name} has {columns} inputs, which pruning.m={section.m} does not divide; "
                f"choose an m that does, or pruning.structure=unstructured."
            )
