"""The linear layers that a section of the plan means: all, all but the head, or by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from memplanner.errors import PlanError
from memplanner.model.blocks import whole_names
from memplanner.plan.linear_layers import Layers
from memplanner.plan.per_layer import is_named, parse, value_of
from memplanner.techniques.sparsity.matrices import is_matrix


def linear_names(module: nn.Module) -> list[str]:
    """The paths of every linear layer but the output head, peft's ``all-linear``."""
    head = getattr(module, "get_output_embeddings", lambda: None)()
    classifiers = {"classifier", "score", "lm_head", "head", "fc"}
    return [
        name
        for name, child in module.named_modules()
        if (isinstance(child, nn.Linear) or type(child).__name__ == "Conv1D")
        and child is not head
        and name not in classifiers
    ]


class LayerChoice(Protocol):
    """What a section says of its layers."""

    @property
    def layers(self) -> Layers:
        """Which of the linear layers."""

    @property
    def target_modules(self) -> tuple[str, ...]:
        """Names or patterns, where ``layers`` is ``named``."""


def chosen_layers(
    module: nn.Module, choice: LayerChoice, section: str, *, verb: str, off: str, shared: str
) -> list[str]:
    """The paths of the layers that ``choice`` means, in the module's order.

    ``section`` is its name, ``verb`` what it does to a layer, ``off`` the choice that does nothing
    and ``shared`` what would happen to a weight that another module uses too: the words of
    ``PlanError``, which is raised for such a weight, for a name that is no linear layer, and where
    there is none at all.
    """
    every = [name for name, child in module.named_modules() if _is_one_product(child)]
    if choice.layers == "named":
        known_as = dict(zip(every, whole_names(module, every), strict=True))
        _check_names(list(known_as.values()), choice.target_modules, section)
        chosen = {name for name in every if _is_named(known_as[name], choice.target_modules)}
    elif choice.layers == "all_but_head":
        chosen = set(linear_names(module)).intersection(every)
    else:
        chosen = set(every)
    if not chosen:
        raise PlanError(
            f"{section}.layers={choice.layers} finds no linear layer to {verb} in this model; "
            f"choose {section}.{off}."
        )
    names = [name for name in every if name in chosen]
    instead = (
        f"take it out of {section}.target_modules"
        if choice.layers == "named"
        else f"choose {section}.layers=all_but_head or name the others"
    )
    for name, other in _shared_weights(module, names):
        raise PlanError(f"{name} shares its weight with {other}, {shared}; {instead}.")
    return names


def _is_one_product(layer: nn.Module) -> bool:
    """A layer whose whole work is the product, and that is called for it.

    ``nn.MultiheadAttention`` hands the weight of its own to a function, and never calls the layer.
    """
    return is_matrix(layer) and not isinstance(layer, NonDynamicallyQuantizableLinear)


def _is_named(name: str, wanted: Sequence[str]) -> bool:
    return any(is_named(name, each) for each in wanted)


def own_values(
    module: nn.Module, names: Sequence[str], texts: Sequence[str], section: str
) -> dict[str, str]:
    """What ``per_layer`` of ``section`` says of the chosen layers ``names``, where it does.

    Raises ``PlanError`` for a pattern that matches none of them.
    """
    overrides = parse(texts)
    known_as = whole_names(module, names)
    for pattern, _ in overrides:
        if not any(is_named(name, pattern) for name in known_as):
            known = ", ".join(sorted({name.rpartition(".")[2] for name in names})[:12])
            raise PlanError(
                f"{section}.per_layer names “{pattern}”, which is none of the layers that "
                f"{section}.layers chooses; these are {known}."
            )
    values = [value_of(name, overrides) for name in known_as]
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _check_names(every: Sequence[str], wanted: Sequence[str], section: str) -> None:
    known = sorted({name.rpartition(".")[2] for name in every})
    listed = ", ".join(known[:12])
    if not wanted:
        raise PlanError(
            f"{section}.layers=named needs names in {section}.target_modules; "
            f"the layers are {listed}."
        )
    for each in wanted:
        if not any(_is_named(name, (each,)) for name in every):
            raise PlanError(
                f"{section}.target_modules names “{each}”, which is no linear layer of this "
                f"model; its layers are {listed}."
            )


def _shared_weights(module: nn.Module, names: Sequence[str]) -> list[tuple[str, str]]:
    """Each of ``names`` whose weight another module reads too, such as a tied embedding, and it."""
    owners: dict[int, list[str]] = {}
    for path, child in module.named_modules():
        for parameter in child.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(path)
    found = []
    for name in names:
        paths = owners.get(id(module.get_submodule(name).weight), ())  # none where it is computed
        found += [(name, other) for other in paths if other != name][:1]
    return found
