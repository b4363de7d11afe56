"""Blocks that a plan names by number: which of a list are alike in what is said of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from torch import nn

from memplanner.model.blocks import BlockList, Run, block_numbers, find_runs, signatures
from memplanner.plan import Plan
from memplanner.plan.per_layer import Override, is_named, names_by_number, parse

_WILD = frozenset("*?[")

Sayings = tuple[tuple[Override, ...], ...]
"""What a plan says of modules by name, one tuple for each field; the last that matches counts."""


def sayings(plan: Plan) -> Sayings:
    """What the plan says of single blocks, in fields that also hold for a cut module.

    ``memplanner.model.blocks.whole_name`` gives these fields' techniques the names to go by.
    """
    away = plan.activation_offload.modules if plan.activation_offload.to == "host" else ()
    fields = (
        tuple(Override(name, "") for name in plan.quantization.target_modules),
        parse(plan.quantization.per_layer),
        tuple(Override(name, "") for name in plan.activation_checkpointing.modules),
        tuple(Override(name, "") for name in away),
    )
    return tuple(field for field in fields if names_by_number([name for name, _ in field]))


def runs_of_alike(module: nn.Module, blocks: BlockList, said: Sayings) -> tuple[Run, ...]:
    """The runs of blocks that are alike in themselves and in what is said of their modules."""
    container = module.get_submodule(blocks.path)
    children, numbers = list(container.children()), block_numbers(container)
    looked_up = [_Saying(field) for field in said]
    values: list[Hashable] = []
    for number, block, signature in zip(numbers, children, signatures(children), strict=True):
        path = f"{blocks.path}.{number}" if blocks.path else str(number)
        names = [f"{path}.{inner}" if inner else path for inner, _ in block.named_modules()]
        own = tuple(tuple(map(field.value_of, names)) for field in looked_up)
        values.append(None if signature is None else (signature, own))
    return find_runs(values)


class _Saying:
    """``per_layer.value_of`` for many names: patterns without wildcards are looked up."""

    def __init__(self, overrides: Sequence[Override]) -> None:
        self._overrides = overrides
        self._plain: dict[str, int] = {}
        self._wild: list[int] = []
        for place, (pattern, _) in enumerate(overrides):
            if _WILD.isdisjoint(pattern):
                self._plain[pattern] = place
            else:
                self._wild.append(place)

    def value_of(self, name: str) -> str | None:
        parts = name.split(".")
        ends = (".".join(parts[start:]) for start in range(len(parts)))
        last = max((self._plain.get(end, -1) for end in ends), default=-1)
        for place in reversed(self._wild):
            if place < last:
                break
            if is_named(name, self._overrides[place].pattern):
                last = place
                break
        return None if last < 0 else self._overrides[last].value
