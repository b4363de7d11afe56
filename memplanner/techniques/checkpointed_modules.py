"""The modules that ``activation_checkpointing.policy=named`` recomputes."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from torch import nn

from memplanner.errors import PlanError
from memplanner.model.blocks import whole_names
from memplanner.plan.per_layer import is_named
from memplanner.techniques.sparsity.matrices import is_matrix


def named_modules(module: nn.Module, patterns: Sequence[str]) -> list[str]:
    """The paths of the modules that ``patterns`` choose, in the module's order.

    A module inside a chosen one is not chosen again. Linear layers and lists of modules are left
    out: a linear layer keeps its input alone, and that is what a recomputed one keeps; a list has
    no forward. Raises ``PlanError`` for a pattern that chooses nothing.
    """
    paths = [path for path, _ in module.named_modules() if path]
    known_as = whole_names(module, paths)
    can = [_can_be_recomputed(module.get_submodule(path)) for path in paths]
    for pattern in patterns:
        found = [place for place, name in enumerate(known_as) if is_named(name, pattern)]
        if not found:
            raise PlanError(
                _no_module(pattern, [n for n, ok in zip(known_as, can, strict=True) if ok])
            )
        if not any(can[place] for place in found):
            raise PlanError(_no_use(known_as[found[0]], module.get_submodule(paths[found[0]])))
    chosen: list[str] = []
    for path, name, fits in zip(paths, known_as, can, strict=True):
        inside = any(path.startswith(f"{outer}.") for outer in chosen)
        if fits and not inside and any(is_named(name, pattern) for pattern in patterns):
            chosen.append(path)
    return chosen


def _can_be_recomputed(part: nn.Module) -> bool:
    return not is_matrix(part) and not isinstance(part, (nn.ModuleList, nn.ModuleDict))


def _no_module(pattern: str, names: Sequence[str]) -> str:
    near = get_close_matches(pattern, names, n=1, cutoff=0.0)
    instead = f"choose {near[0]}, " if near else "choose "
    return (
        f"activation_checkpointing.modules names “{pattern}”, which is no module of this model; "
        f"{instead}or another policy."
    )


def _no_use(name: str, part: nn.Module) -> str:
    if is_matrix(part):
        return (
            f"{name} is a linear layer, which keeps its input whether it is recomputed or not; "
            "name the module around it in activation_checkpointing.modules."
        )
    return (
        f"{name} is a list of modules, which has no forward; choose {name}.* in "
        "activation_checkpointing.modules."
    )
