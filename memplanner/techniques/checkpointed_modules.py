"""Modules by name: those that are recomputed, or whose kept activations lie on the host."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from torch import nn

from memplanner.errors import PlanError
from memplanner.model.blocks import is_cut, whole_names
from memplanner.plan.per_layer import is_named, names_by_number
from memplanner.techniques.sparsity.matrices import is_matrix

RECOMPUTED = "activation_checkpointing.modules"
OFFLOADED = "activation_offload.modules"


def named_modules(module: nn.Module, patterns: Sequence[str], key: str = RECOMPUTED) -> list[str]:
    """The paths of the modules that ``patterns`` choose, in the module's order.

    A module inside a chosen one is not chosen again. Lists of modules are left out, which have no
    forward, and linear layers where modules are recomputed: such a layer keeps its input alone,
    and that is what a recomputed one keeps. Raises ``PlanError``, which names the plan's ``key``,
    for a pattern that chooses nothing: of a module of which blocks were cut away those alone that
    name no block by number, for that block may be among them.
    """
    paths = [path for path, _ in module.named_modules() if path]
    known_as = whole_names(module, paths)
    can = [_has_use(module.get_submodule(path), key) for path in paths]
    for pattern in patterns:
        found = [place for place, name in enumerate(known_as) if is_named(name, pattern)]
        if not found and is_cut(module) and names_by_number([pattern]):
            continue
        if not found:
            raise PlanError(
                _no_module(pattern, [n for n, ok in zip(known_as, can, strict=True) if ok], key)
            )
        if not any(can[place] for place in found):
            raise PlanError(_no_use(known_as[found[0]], module.get_submodule(paths[found[0]]), key))
    chosen: list[str] = []
    for path, name, fits in zip(paths, known_as, can, strict=True):
        inside = any(path.startswith(f"{outer}.") for outer in chosen)
        if fits and not inside and any(is_named(name, pattern) for pattern in patterns):
            chosen.append(path)
    return chosen


def _has_use(part: nn.Module, key: str) -> bool:
    idle = key == RECOMPUTED and is_matrix(part)
    return not idle and not isinstance(part, (nn.ModuleList, nn.ModuleDict))


def _no_module(pattern: str, names: Sequence[str], key: str) -> str:
    near = get_close_matches(pattern, names, n=1, cutoff=0.0)
    instead = f"choose {near[0]}, " if near else "choose "
    other = "another policy" if key == RECOMPUTED else "name none"
    return f"{key} names “{pattern}”, which is no module of this model; {instead}or {other}."


def _no_use(name: str, part: nn.Module, key: str) -> str:
    if key == RECOMPUTED and is_matrix(part):
        return (
            f"{name} is a linear layer, which keeps its input whether it is recomputed or not; "
            f"name the module around it in {key}."
        )
    return f"{name} is a list of modules, which has no forward; choose {name}.* in {key}."
