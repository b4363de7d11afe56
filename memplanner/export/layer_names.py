"""Layers as a person would name them in a script."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def short_names(module: nn.Module, wanted: Sequence[str]) -> list[str]:
    """The last parts of the paths ``wanted`` where those mean no other layer, else the paths."""
    endings = list(dict.fromkeys(name.rpartition(".")[2] for name in wanted))
    named = {
        name
        for name, child in module.named_modules()
        if name.rpartition(".")[2] in endings and not list(child.children())
    }
    is_clear = named == set(wanted) and not any(ending.isdecimal() for ending in endings)
    return endings if is_clear else list(wanted)


def layer_classes(module: nn.Module, names: Sequence[str]) -> str:
    """The classes of the linear layers ``names``, as ``isinstance`` takes them."""
    plain = all(isinstance(module.get_submodule(name), nn.Linear) for name in names)
    return "nn.Linear" if plain else "nn.Linear | Conv1D"
