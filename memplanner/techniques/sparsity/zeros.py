"""Zeros in linear layers: chosen by scores, and kept as masks, as numbers or packed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune

from memplanner.techniques.sparsity.calibration import (
    Batches,
    hessians,
    input_norms,
    slopes,
)
from memplanner.techniques.sparsity.masks import (
    count_of,
    mask_below,
    mask_lowest,
    mask_n_m,
    mask_rows,
    masks_together,
)
from memplanner.techniques.sparsity.matrices import importance, is_transposed, matrix
from memplanner.techniques.sparsity.packed import PackedLinear
from memplanner.techniques.sparsity.sparsegpt import sparsegpt

HESSIAN_BYTES = 2**28
"""What Hessians of layers that are pruned with one pass over the data may take together."""


@dataclass(frozen=True, slots=True)
class Zeros:
    """Which weights become zero, and how that is kept."""

    method: str = "magnitude"
    ratio: float = 0.5
    together: bool = False
    """Whether scores are compared over all layers."""
    n_m: tuple[int, int] | None = None
    """N of each M that stay, instead of a ratio."""
    kept_as: str = "masks"
    compute_type: torch.dtype | None = None
    """Of packed layers' products; None for that of their input."""
    threshold: float | None = None
    """Weights whose size is below it become zero, instead of a ratio."""
    of_deviation: bool = False
    """Whether the threshold is a multiple of the standard deviation of the layer's weights
    (Han et al. 2015, arXiv:1506.02626)."""
    per_layer: tuple[tuple[str, float], ...] = ()
    """Patterns of layers' paths and their ratios; the last that fits holds."""

    def ratio_of(self, name: str) -> float:
        """The share of the layer ``name`` that becomes zero."""
        own = [ratio for pattern, ratio in self.per_layer if fits(name, pattern)]
        return own[-1] if own else self.ratio

    def count(self, name: str, rows: int, columns: int) -> int:
        """How many weights of the matrix of the layer ``name`` become zero."""
        if self.n_m is not None:
            n, m = self.n_m
            return rows * columns // m * (m - n)
        if self.method == "wanda":
            return rows * count_of(self.ratio_of(name), columns)
        return count_of(self.ratio_of(name), rows * columns)


def fits(name: str, pattern: str) -> bool:
    """Whether a layer's path is meant: the pattern fits all of it, or is its last parts."""
    return fnmatchcase(name, pattern) or name == pattern or name.endswith("." + pattern)


def put_zeros(
    module: nn.Module,
    names: Sequence[str],
    zeros: Zeros,
    batches: Batches = (),
    loss_of: Callable[[Any], torch.Tensor] | None = None,
) -> None:
    """Zeros in the layers ``names``, in place.

    ``batches`` are what taylor, wanda and sparsegpt take scores from, ``loss_of`` gives the loss of
    what the module returns. A weightless module gets the same shapes, without looking at values.
    """
    layers = {name: module.get_submodule(name) for name in names}
    weightless = all(matrix(layer).is_meta for layer in layers.values())
    if zeros.method == "sparsegpt" and not weightless:
        for name, mask in _by_hessian(module, layers, zeros, batches):
            _keep_as(module, name, mask, zeros)
        return
    masks = _blank(layers) if weightless else _masks(module, layers, zeros, batches, loss_of)
    for name, mask in masks.items():
        _keep_as(module, name, mask, zeros)


def make_permanent(module: nn.Module) -> None:
    """Writes masks' zeros into the weights and drops the masks, in place."""
    for layer in module.modules():
        if hasattr(layer, "weight_mask"):
            prune.remove(layer, "weight")


def _blank(layers: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    return {
        name: torch.empty(matrix(layer).shape, dtype=torch.bool, device="meta")
        for name, layer in layers.items()
    }


def _masks(
    module: nn.Module,
    layers: dict[str, nn.Module],
    zeros: Zeros,
    batches: Batches,
    loss_of: Callable[[Any], torch.Tensor] | None,
) -> dict[str, torch.Tensor]:
    norms = input_norms(module, list(layers), batches) if zeros.method == "wanda" else {}
    with slopes(module, zeros.method, batches, loss_of):
        if zeros.together:

            def scores() -> Iterator[torch.Tensor]:
                return (_scores(name, layer, zeros, norms) for name, layer in layers.items())

            return dict(zip(layers, masks_together(scores, zeros.ratio), strict=True))
        return {
            name: _mask(name, _scores(name, layer, zeros, norms), zeros)
            for name, layer in layers.items()
        }


def _mask(name: str, scores: torch.Tensor, zeros: Zeros) -> torch.Tensor:
    if zeros.n_m is not None:
        return mask_n_m(scores, *zeros.n_m)
    if zeros.threshold is not None:
        return mask_below(scores, zeros.threshold)
    if zeros.method == "wanda":
        return mask_rows(scores, zeros.ratio_of(name))
    return mask_lowest(scores, zeros.count(name, *scores.shape))


def _scores(
    name: str, layer: nn.Module, zeros: Zeros, norms: dict[str, torch.Tensor]
) -> torch.Tensor:
    """fp32, (out, in)."""
    if zeros.method in ("taylor", "fisher"):
        return importance(layer, zeros.method)
    weight = matrix(layer).float()
    if zeros.threshold is not None and zeros.of_deviation:
        return weight.abs() / weight.std(correction=0)
    if zeros.method == "wanda" and name in norms:
        return weight.abs() * norms[name]
    return weight.abs()


def _by_hessian(
    module: nn.Module, layers: dict[str, nn.Module], zeros: Zeros, batches: Batches
) -> Iterator[tuple[str, torch.Tensor]]:
    """Some layers with one pass over the data, so that later ones see what earlier ones became."""
    for names in _bounded(layers):
        found = hessians(module, names, batches)
        for name in names:
            weight = matrix(layers[name])
            hessian = found.pop(name, None)
            if hessian is None:  # no token came here: every input counts alike
                hessian = torch.eye(weight.shape[1], device=weight.device)
            new, mask = sparsegpt(weight, hessian, ratio=zeros.ratio_of(name), n_m=zeros.n_m)
            weight.copy_(new)
            yield name, mask


def _bounded(layers: dict[str, nn.Module]) -> Iterator[list[str]]:
    names: list[str] = []
    taken = 0
    for name, layer in layers.items():
        own = 4 * matrix(layer).shape[1] ** 2
        if names and taken + own > HESSIAN_BYTES:
            yield names
            names, taken = [], 0
        names.append(name)
        taken += own
    if names:
        yield names


def _keep_as(module: nn.Module, name: str, mask: torch.Tensor, zeros: Zeros) -> None:
    layer: Any = module.get_submodule(name)
    if zeros.kept_as == "packed":
        kept = matrix(layer).numel() - zeros.count(name, *matrix(layer).shape)
        packed = PackedLinear(
            matrix(layer).contiguous(), mask, kept, layer.bias, compute_type=zeros.compute_type
        )
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, packed.train(layer.training))
        return
    own_way = mask.t().contiguous() if is_transposed(layer) else mask
    with torch.no_grad():
        layer.weight.mul_(own_way)
    if zeros.kept_as == "masks":
        prune.custom_from_mask(layer, "weight", own_way)
