"""A student made of its teacher: fewer blocks, heads and neurons, its weights copied."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import nn

from memplanner.techniques.distilling.hidden import narrower_hidden
from memplanner.techniques.sparsity.configuration import configs_of, set_blocks
from memplanner.techniques.sparsity.depth import keep_blocks
from memplanner.techniques.sparsity.structure import Smaller, make_smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shares of the teacher's sizes that go."""

    block_ratio: float = 0.0
    mlp_ratio: float = 0.0
    head_ratio: float = 0.0
    hidden_ratio: float = 0.0
    width_multiple: int = 1
    """What widths are rounded to."""


def make_student(teacher: nn.Module, shape: Shape, block_paths: Sequence[str] = ()) -> Any:
    """A smaller copy of ``teacher``, which stays as it is; weightless where that is.

    Blocks of the lists at ``block_paths`` go evenly, heads and neurons by the sum of their squared
    weights, hidden channels from the last on. The copy's configuration follows.
    """
    student = _with_blocks(teacher, shape.block_ratio, block_paths)
    if shape.mlp_ratio or shape.head_ratio:
        smaller = Smaller(
            mlp_ratio=shape.mlp_ratio,
            head_ratio=shape.head_ratio,
            width_multiple=shape.width_multiple,
        )
        make_smaller(student, smaller)
    if shape.hidden_ratio:
        student = narrower_hidden(student, shape.hidden_ratio, shape.width_multiple)
    return student.requires_grad_(True)


def blocks_left(ratio: float, length: int) -> int:
    """How many blocks of a list stay: the nearest whole number, at least one."""
    return max(length - round(ratio * length), 1)


def spread(length: int, count: int) -> list[int]:
    """``count`` of ``length`` blocks, evenly, the first and the last among them.

    DistilBERT takes every other layer likewise (Sanh et al. 2019, arXiv:1910.01108, section 3).
    """
    if count == 1:
        return [length - 1]
    return [round(index * (length - 1) / (count - 1)) for index in range(count)]


def _with_blocks(teacher: nn.Module, ratio: float, paths: Sequence[str]) -> nn.Module:
    """A copy with fewer blocks; those that go are not copied first."""
    whole: dict[str, tuple[nn.Module, dict[str, Any]]] = {}
    kept: dict[str, list[int]] = {}
    for path in paths:
        container = teacher.get_submodule(path)
        blocks = list(container._modules.values())
        kept[path] = spread(len(blocks), blocks_left(ratio, len(blocks)))
        whole[path] = container, dict(container._modules)
        container._modules = {str(at): blocks[index] for at, index in enumerate(kept[path])}
    try:
        student = deepcopy(teacher)
    finally:
        for container, blocks_before in whole.values():
            container._modules = blocks_before
    for path, indices in kept.items():
        length = len(whole[path][1])
        for place, config in enumerate(configs_of(student, path)):
            set_blocks(config, path, length, indices, inner=place > 0)
        keep_blocks(student, path, range(len(indices)))  # which numbers them anew
    return student
