"""The student for a number of bytes: depth × inner width × heads, counted without weights.

Blocks that are alike hold a number of parameters that is affine in the inner width of their MLPs
and in their heads, so four weightless blocks give the count of every shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import nn

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.techniques.distilling.student import Shape, make_student
from memplanner.techniques.pruned_structure import check_reload
from memplanner.techniques.sparsity.heads import find_attentions
from memplanner.techniques.sparsity.widths import find_mlps
from memplanner.units import format_bytes


class Counts(NamedTuple):
    """The parameters of every student: outside + depth · (each + neuron · width + head · units).

    Beside it the sizes of the teacher, and what may be chosen.
    """

    outside: int
    each: int
    neuron: int
    head: int
    depth: int
    width: int
    """0 for blocks without an MLP that can be narrowed."""
    units: tuple[int, ...]
    """Numbers of heads that the class can be built with, the teacher's last."""

    def parameters(self, depth: int, width: int, units: int) -> int:
        """Of one student."""
        return self.outside + depth * (self.each + self.neuron * width + self.head * units)


def search_shape(
    teacher: nn.Module, budget_bytes: int, element_bytes: int, width_multiple: int
) -> Shape:
    """The student whose weights take at most ``budget_bytes``; ``teacher`` is weightless.

    Of those that fit: the one whose smallest share of depth, width and heads is largest, so that
    none is starved; of several the largest; then the deepest and the widest. Raises ``PlanError``
    where none fits, or the blocks are not alike.
    """
    counts = count_parameters(teacher, width_multiple)
    widths = sorted({*range(width_multiple, counts.width + 1, width_multiple), counts.width})
    shapes = np.meshgrid(
        np.arange(1, counts.depth + 1), np.array(widths), np.array(counts.units), indexing="ij"
    )
    depth, width, units = (axis.ravel().astype(np.int64) for axis in shapes)
    size = counts.outside + depth * (counts.each + counts.neuron * width + counts.head * units)
    fits = size * element_bytes <= budget_bytes
    if not fits.any():
        least = int(size.min()) * element_bytes
        raise PlanError(
            f"distillation.budget_mib={budget_bytes // 2**20} is less than the smallest student "
            f"takes, {format_bytes(least)}; choose at least {-(-least // 2**20)}."
        )
    shares = [depth / counts.depth, units / counts.units[-1]]
    if counts.width:
        shares.append(width / counts.width)
    balance = np.minimum.reduce(shares)
    places = np.flatnonzero(fits)
    order = np.lexsort((width[places], depth[places], size[places], balance[places]))
    best = places[order[-1]]
    return Shape(
        block_ratio=1 - int(depth[best]) / counts.depth,
        mlp_ratio=1 - int(width[best]) / counts.width if counts.width else 0.0,
        head_ratio=1 - int(units[best]) / counts.units[-1],
        width_multiple=width_multiple,
    )


def count_parameters(teacher: nn.Module, width_multiple: int) -> Counts:
    """The counts of all students of a weightless ``teacher``. Raises ``PlanError``."""
    lists = block_lists(teacher)
    if len(lists) != 1 or len(lists[0].runs) != 1 or lists[0].runs[0].count != lists[0].length:
        raise PlanError(
            "distillation.student=budget needs one list of blocks that are all alike, and this "
            "model has others; choose distillation.student=smaller."
        )
    path, length = lists[0].path, lists[0].length

    def one_block(shape: Shape) -> nn.Module:
        return make_student(teacher, shape, (path,))  # type: ignore[no-any-return]  # a copy is what it is of

    base = Shape(block_ratio=1 - 1 / length, width_multiple=1)
    single = one_block(base)
    own = _count(single)
    width = max((mlp.width for mlp in find_mlps(single)), default=0)
    heads = max((attention.units for attention in find_attentions(single)), default=1)

    def smaller(**ratios: float) -> Shape:
        return Shape(block_ratio=base.block_ratio, width_multiple=1, **ratios)

    narrow = width - width_multiple
    neuron = 0
    if narrow > 0 and _opens(one_block, smaller(mlp_ratio=1 - narrow / width)):
        neuron = (own - _count(one_block(smaller(mlp_ratio=1 - narrow / width)))) // width_multiple
    units = [
        left for left in range(1, heads) if _opens(one_block, smaller(head_ratio=1 - left / heads))
    ]
    head = 0
    if units:
        fewer = _count(one_block(smaller(head_ratio=1 - units[0] / heads)))
        head = (own - fewer) // (heads - units[0])
    block = (_count(teacher) - own) // (length - 1)
    return Counts(
        outside=own - block,
        each=block - neuron * width - head * heads,
        neuron=neuron,
        head=head,
        depth=length,
        width=width if neuron else 0,
        units=(*units, heads),
    )


def _opens(build: Callable[[Shape], nn.Module], shape: Shape) -> bool:
    """Whether the model's class can be built of the configuration that such a student has."""
    try:
        check_reload(build(shape), whole=True)
    except (PlanError, ValueError):
        return False
    return True


def _count(module: nn.Module) -> int:
    """Parameters, those that are shared once."""
    return sum(parameter.numel() for parameter in module.parameters())
