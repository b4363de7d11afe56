"""Linear layers as matrices (out, in), whichever way round they keep their weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


def is_transposed(layer: nn.Module) -> bool:
    """Whether the layer keeps its weight as (in, out), as GPT-2's ``Conv1D`` does."""
    return type(layer).__name__ == "Conv1D"


def is_matrix(layer: object) -> bool:
    """Whether the layer's whole work is one product: torch's ``nn.Linear``, or ``Conv1D``."""
    if isinstance(layer, nn.Linear):
        return type(layer).forward is nn.Linear.forward
    named = isinstance(layer, nn.Module) and is_transposed(layer)
    return named and isinstance(getattr(layer, "weight", None), torch.Tensor)


def matrix(layer: Any) -> torch.Tensor:
    """The weight (out, in), without its gradient: a view."""
    weight: torch.Tensor = layer.weight.detach()
    return weight.t() if is_transposed(layer) else weight


FISHER = "fisher_diagonal"
"""The attribute of a parameter that holds the mean square of its gradient, as ``grad`` holds one:
in fp32, which ``grad`` of a parameter in half precision cannot be."""


def importance_of(weight: nn.Parameter, method: str) -> torch.Tensor:
    """What each number of a parameter counts for in a sum over a structure: fp32, of its shape.

    Of magnitude its square, of taylor |weight × gradient| (LLM-Pruner, Ma et al. 2023,
    arXiv:2305.11627), of fisher weight² × mean gradient² (optimal brain damage, LeCun et al. 1990,
    with the Fisher diagonal for the Hessian's as in Theis et al. 2018, arXiv:1801.05787). Nothing
    where no loss reached it.
    """
    own = weight.detach().float()
    if method == "magnitude":
        return own.square()
    if method == "fisher":
        squares: torch.Tensor | None = getattr(weight, FISHER, None)
        return own.square() * squares if squares is not None else torch.zeros_like(own)
    slope = weight.grad
    return (own * slope.float()).abs() if slope is not None else torch.zeros_like(own)


def importance(layer: Any, method: str) -> torch.Tensor:
    """The same of a layer's weight, as a matrix (out, in)."""
    found = importance_of(layer.weight, method)
    return found.t() if is_transposed(layer) else found


def keep_outputs(layer: Any, kept: torch.Tensor) -> None:
    """Leaves the rows ``kept`` (indices) of the matrix, and of the bias."""
    own = layer.weight.detach().index_select(1 if is_transposed(layer) else 0, kept)
    _replace(layer, "weight", own)
    if layer.bias is not None:
        _replace(layer, "bias", layer.bias.detach().index_select(0, kept))
    if is_transposed(layer):
        layer.nf = len(kept)
    else:
        layer.out_features = len(kept)


def keep_inputs(layer: Any, kept: torch.Tensor) -> None:
    """Leaves the columns ``kept`` (indices) of the matrix."""
    own = layer.weight.detach().index_select(0 if is_transposed(layer) else 1, kept)
    _replace(layer, "weight", own)
    if is_transposed(layer):
        layer.nx = len(kept)
    else:
        layer.in_features = len(kept)


def keep_of_each(module: Any, name: str, dim: int, kept: torch.Tensor) -> None:
    """Of each matrix of the stacked parameter ``name`` other indices: ``kept`` is (stack, n)."""
    own: torch.Tensor = getattr(module, name).detach()
    shape = [own.shape[0], 1, 1]
    shape[dim] = kept.shape[1]
    wide = list(own.shape)
    wide[dim] = kept.shape[1]
    _replace(module, name, own.gather(dim, kept.reshape(shape).expand(wide)))


def keep_of_table(module: nn.Module, path: str, dim: int, kept: torch.Tensor) -> None:
    """Of the parameter at ``path`` in the module the indices ``kept`` of a dimension."""
    parent, _, own = path.rpartition(".")
    holder: Any = module.get_submodule(parent)
    _replace(holder, own, getattr(holder, own).detach().index_select(dim, kept))
    if isinstance(holder, nn.Embedding) and dim == 1:
        holder.embedding_dim = len(kept)


def _replace(module: nn.Module, name: str, value: torch.Tensor) -> None:
    trained = getattr(module, name).requires_grad
    setattr(module, name, nn.Parameter(value.contiguous(), requires_grad=trained))


def child(module: nn.Module, path: str) -> Any:
    """The part at a dotted path inside the module, or None."""
    part: Any = module
    for name in path.split("."):
        part = part._modules.get(name) if isinstance(part, nn.Module) else None
    return part


def other_parameters(module: nn.Module, names: Sequence[str]) -> list[tuple[str, nn.Parameter]]:
    """What the module holds beside the parts at ``names``."""
    inside = tuple(f"{name}." for name in names)
    return [item for item in module.named_parameters() if not item[0].startswith(inside)]
