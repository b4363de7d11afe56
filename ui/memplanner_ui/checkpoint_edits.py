"""Modules recomputed by name: the plan that follows when some are picked in the tree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memplanner.messages.estimate import Layer
from memplanner.plan import Plan
from memplanner.plan.per_layer import is_named
from memplanner_ui.language import translatable
from memplanner_ui.layer_edits import is_linear, patterns

RECOMPUTED = translatable("Window", "recomputed")
_LISTS = frozenset({"ModuleList", "ModuleDict"})


@dataclass(frozen=True, slots=True)
class Recomputable:
    """The modules of an estimate's tree that can be recomputed by themselves, in its order."""

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> Recomputable:
        """Those among ``layers``: no linear layer, no list of modules, nothing of an adapter."""
        return cls(
            tuple(
                layer.name
                for layer in layers
                if layer.name
                and not is_linear(layer.type)
                and layer.type not in {*_LISTS, "QuantizedLinear"}
                and not {"base_layer", "lora_A", "lora_B"}.intersection(layer.name.split("."))
            )
        )

    def among(self, modules: Iterable[str]) -> tuple[str, ...]:
        """Those of ``modules`` that are such, and of lists what is right inside."""
        wanted = set(modules)
        return tuple(
            name
            for name in self.names
            if name in wanted
            or (name.rpartition(".")[0] in wanted and name.rpartition(".")[0] not in self.names)
        )


def recomputed(plan: Plan, modules: Recomputable) -> tuple[str, ...]:
    """The modules that the plan recomputes by name; one inside another is not."""
    section = plan.activation_checkpointing
    if section.policy != "named":
        return ()
    return _outermost(
        name
        for name in modules.names
        if any(is_named(name, pattern) for pattern in section.modules)
    )


def with_recomputed(
    plan: Plan, modules: Recomputable, picked: Sequence[str], *, recompute: bool
) -> Plan:
    """``plan`` with ``picked`` recomputed or not, beside those that are by name so far.

    A policy that is not by name gives way. Where none is left, nothing is recomputed.
    """
    now = set(recomputed(plan, modules))
    wanted = now | set(picked) if recompute else now - set(picked)
    chosen = _outermost(name for name in modules.names if name in wanted)
    if not chosen:
        if not now:
            return plan
        return plan.with_values(
            {"activation_checkpointing.policy": "none", "activation_checkpointing.modules": ()}
        )
    inside = tuple(f"{name}." for name in chosen)
    others = [name for name in modules.names if not name.startswith(inside)]
    return plan.with_values(
        {
            "activation_checkpointing.policy": "named",
            "activation_checkpointing.modules": patterns(others, chosen),
        }
    )


def _outermost(names: Iterable[str]) -> tuple[str, ...]:
    """``names``, which are in a tree's order, without those inside another."""
    found: list[str] = []
    for name in names:
        if not (found and name.startswith(f"{found[-1]}.")):
            found.append(name)
    return tuple(found)
