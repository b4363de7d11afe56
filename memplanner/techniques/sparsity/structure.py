"""A module made smaller: narrower MLPs, fewer attention heads, fewer blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from memplanner.techniques.sparsity.calibration import (
    Batches,
    influences,
    input_norms,
    slopes,
)
from memplanner.techniques.sparsity.channels import Chain, channel_scores, narrow_channels
from memplanner.techniques.sparsity.configuration import (
    configs_of,
    own_configs,
    set_blocks,
    set_heads,
    set_mlp_widths,
)
from memplanner.techniques.sparsity.depth import (
    count_left_out,
    deepest,
    keep_blocks,
    least_influence,
)
from memplanner.techniques.sparsity.heads import (
    Attention,
    find_attentions,
    head_scores,
    heads_left,
    leave_out_heads,
)
from memplanner.techniques.sparsity.widths import (
    Mlp,
    find_mlps,
    mlp_scores,
    narrow_mlp,
    narrowed,
)


@dataclass(frozen=True, slots=True)
class Smaller:
    """How much goes, and by which scores."""

    method: str = "magnitude"
    mlp_ratio: float = 0.0
    head_ratio: float = 0.0
    block_ratio: float = 0.0
    by_influence: bool = False
    """Whether the blocks that change least go, or the deepest but the last."""
    width_multiple: int = 1
    """What widths are rounded to."""
    channel_ratio: float = 0.0
    channels: tuple[tuple[str, ...], ...] = ()
    """Of each chain of convolutions the names: what makes channels, what is between, what takes."""
    every_attention: bool = False
    """Whether heads of attentions go that a configuration may not be able to describe."""
    unsaid_heads: bool = False
    """Whether the configuration cannot say how many heads are left, and stays as it is there."""

    def width(self, mlp: Mlp) -> int:
        """What is left of an MLP's inner width."""
        return narrowed(mlp.width, self.mlp_ratio, self.width_multiple)

    def chains(self) -> list[Chain]:
        """The chains that lose channels."""
        return [Chain(names[0], names[1:-1], names[-1]) for names in self.channels]


def make_smaller(
    module: nn.Module,
    smaller: Smaller,
    block_paths: Sequence[str] = (),
    batches: Batches = (),
    loss_of: Callable[[Any], torch.Tensor] | None = None,
) -> None:
    """Leaves blocks out of the lists at ``block_paths``, then heads, then MLP neurons, in place.

    The module's configuration follows. ``batches`` are what scores are taken from, ``loss_of``
    gives the loss of what the module returns. A weightless module gets the same shapes.
    """
    weightless = next(module.parameters()).is_meta
    own_configs(module)
    if smaller.block_ratio:
        for path in block_paths:
            _fewer_blocks(module, path, smaller, batches, weightless)
    mlps = find_mlps(module) if smaller.mlp_ratio else []
    every = smaller.every_attention
    attentions = find_attentions(module, every=every) if smaller.head_ratio else []
    inputs: dict[str, torch.Tensor] = {}
    if smaller.method == "wanda" and not weightless:
        takers = [_taker(mlp) for mlp in mlps if not mlp.experts]
        takers += [_taker(attention) for attention in attentions]
        inputs = input_norms(module, takers, batches)
    with slopes(module, "" if weightless else smaller.method, batches, loss_of):
        of_mlps = [mlp_scores(module, mlp, *_by(smaller, inputs, _taker(mlp))) for mlp in mlps]
        of_heads = [
            head_scores(module, part, *_by(smaller, inputs, _taker(part))) for part in attentions
        ]
        of_channels = [(chain, channel_scores(module, chain, smaller.method))
                       for chain in smaller.chains()]  # fmt: skip
    for chain, scores in of_channels:
        left = narrowed(len(scores), smaller.channel_ratio, smaller.width_multiple)
        narrow_channels(module, chain, scores, left)
    of_heads = _of_groups(attentions, of_heads)
    for mlp, scores in zip(mlps, of_mlps, strict=True):
        narrow_mlp(module, mlp, scores, smaller.width(mlp))
    for part, scores in zip(attentions, of_heads, strict=True):
        leave_out_heads(module, part, scores, heads_left(part, smaller.head_ratio))
    _write(module, smaller, mlps, () if smaller.unsaid_heads else attentions)


def _of_groups(
    attentions: Sequence[Attention], scores: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """The scores, summed over those attentions that keep the same heads."""
    totals: dict[str, torch.Tensor] = {}
    for part, own in zip(attentions, scores, strict=True):
        if part.together:
            totals[part.together] = totals[part.together] + own if part.together in totals else own
    pairs = zip(attentions, scores, strict=True)
    return [totals[part.together] if part.together else own for part, own in pairs]


def _by(
    smaller: Smaller, inputs: dict[str, torch.Tensor], name: str
) -> tuple[str, torch.Tensor | None]:
    """The method and the inputs' norms; magnitude where no token came, or nothing has values."""
    if smaller.method == "wanda" and name not in inputs:
        return "magnitude", None
    return smaller.method, inputs.get(name)


def _taker(part: Mlp | Attention) -> str:
    """The path of the layer whose inputs are the neurons or the heads."""
    own = part.consumer if isinstance(part, Mlp) else part.names[3]
    return f"{part.path}.{own}" if part.path else own


def _fewer_blocks(
    module: nn.Module, path: str, smaller: Smaller, batches: Batches, weightless: bool
) -> None:
    length = len(list(module.get_submodule(path).children()))
    count = count_left_out(smaller.block_ratio, length)
    if smaller.by_influence and not weightless:
        kept = least_influence(influences(module, path, batches), count)
    else:
        kept = deepest(length, count)
    for place, config in enumerate(configs_of(module, path)):
        set_blocks(config, path, length, kept, inner=place > 0)
    keep_blocks(module, path, kept)


def _write(
    module: nn.Module,
    smaller: Smaller,
    mlps: Sequence[Mlp],
    attentions: Sequence[Attention],
) -> None:
    """The new sizes into every configuration, once each."""
    by_config: dict[int, tuple[Any, dict[int, int]]] = {}
    for mlp in mlps:
        for config in configs_of(module, mlp.path):
            by_config.setdefault(id(config), (config, {}))[1][mlp.width] = smaller.width(mlp)
    for config, new_widths in by_config.values():
        set_mlp_widths(config, new_widths)
    for part in attentions:
        units = heads_left(part, smaller.head_ratio)
        for config in configs_of(module, part.path):
            set_heads(config, *part.after(units), part.head_size)
