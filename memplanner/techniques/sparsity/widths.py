"""The inner width of MLPs: which layers go together, and making them narrower."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from memplanner.techniques.sparsity.masks import highest
from memplanner.techniques.sparsity.matrices import (
    child,
    importance,
    importance_of,
    is_matrix,
    keep_inputs,
    keep_of_each,
    keep_outputs,
    matrix,
)

_MLP_NAMES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("gate_proj", "up_proj"), "down_proj"),
    (("gate_up_proj",), "down_proj"),
    (("up_proj",), "down_proj"),
    (("w1", "w3"), "w2"),
    (("wi_0", "wi_1"), "wo"),
    (("wi",), "wo"),
    (("Wi",), "Wo"),
    (("c_fc",), "c_proj"),
    (("fc1",), "fc2"),
    (("fc_in",), "fc_out"),
    (("lin1",), "lin2"),
    (("linear1",), "linear2"),
    (("dense_h_to_4h",), "dense_4h_to_h"),
    (("intermediate.dense",), "output.dense"),
    (("intermediate_dense",), "output_dense"),
)
"""What widens and what narrows again, as transformers and torch name them inside one module."""


@dataclass(frozen=True, slots=True)
class Mlp:
    """Layers that share an inner width: ``producers`` make it, ``consumer`` takes it."""

    path: str
    """Of the module that holds them."""
    producers: tuple[str, ...]
    consumer: str
    width: int
    experts: int = 0
    """How many lie stacked in one parameter each; 0 for layers of their own."""

    @property
    def fused(self) -> bool:
        """Whether one producer makes gate and value, one after the other."""
        return self.producers[0] in ("gate_up_proj", "Wi") and len(self.producers) == 1


def find_mlps(module: nn.Module) -> list[Mlp]:
    """The MLPs of a module, gated or plain, experts in stacked parameters too."""
    found: list[Mlp] = []
    for path, part in module.named_modules():
        mlp = _experts(path, part) or _named(path, part)
        if mlp is not None:
            found.append(mlp)
        elif isinstance(part, nn.Sequential):
            found += _in_a_row(path, part)
    return found


def narrowed(width: int, ratio: float, multiple: int) -> int:
    """What is left of an inner width: the nearest multiple, at least one."""
    return min(max(round((1 - ratio) * width / multiple), 1) * multiple, width)


def mlp_scores(module: nn.Module, mlp: Mlp, method: str, inputs: torch.Tensor | None) -> Any:
    """A score for each inner neuron, (width,) or (experts, width).

    Of magnitude and taylor the sum over the weights that make and take it; of wanda the norm of the
    column that takes it × the norm of its values ``inputs`` (width,).
    """
    part = module.get_submodule(mlp.path)
    if mlp.experts:
        return _expert_scores(part, mlp, method)
    consumer = child(part, mlp.consumer)
    if method == "wanda":
        assert inputs is not None
        return matrix(consumer).float().norm(dim=0) * inputs
    total = importance(consumer, method).sum(dim=0)
    for name in mlp.producers:
        rows = importance(child(part, name), method).sum(dim=1)
        total = total + (rows.view(2, -1).sum(dim=0) if mlp.fused else rows)
    return total


def narrow_mlp(module: nn.Module, mlp: Mlp, scores: torch.Tensor, width: int) -> None:
    """Leaves the ``width`` inner neurons with the highest scores, in place."""
    part: Any = module.get_submodule(mlp.path)
    kept = highest(scores, width)
    both = torch.cat([kept, kept + mlp.width], dim=-1) if mlp.fused else kept
    if mlp.experts:
        keep_of_each(part, mlp.producers[0], 1, both)
        keep_of_each(part, mlp.consumer, 2, kept)
    else:
        for name in mlp.producers:
            keep_outputs(child(part, name), both)
        keep_inputs(child(part, mlp.consumer), kept)
    for name in ("intermediate_size", "intermediate_dim", "ffn_dim"):
        if part.__dict__.get(name) == mlp.width:
            setattr(part, name, width)


def _expert_scores(part: Any, mlp: Mlp, method: str) -> torch.Tensor:
    """For stacked experts, (experts, width); the value of wanda's inputs is not seen in there."""
    total: torch.Tensor | None = None
    for name, dim in ((mlp.producers[0], 2), (mlp.consumer, 1)):
        weight = getattr(part, name)
        sums = importance_of(weight, "magnitude" if method == "wanda" else method).sum(dim=dim)
        if sums.shape[1] == 2 * mlp.width:
            sums = sums.view(mlp.experts, 2, mlp.width).sum(dim=1)
        total = sums if total is None else total + sums
    assert total is not None
    return total


def _named(path: str, part: nn.Module) -> Mlp | None:
    for producers, consumer in _MLP_NAMES:
        layers = [child(part, name) for name in (*producers, consumer)]
        if not all(is_matrix(layer) for layer in layers):
            continue
        *made, taken = (matrix(layer) for layer in layers)
        mlp = Mlp(path, producers, consumer, taken.shape[1])
        wanted = mlp.width * (2 if mlp.fused else 1)
        if all(rows.shape[0] == wanted for rows in made) and not _normed(part, mlp, taken.shape[0]):
            return mlp
    return None


def _normed(part: nn.Module, mlp: Mlp, hidden: int) -> bool:
    """Whether something else beside the layers has a number for each inner neuron."""
    own = {name.partition(".")[0] for name in (*mlp.producers, mlp.consumer)}
    return mlp.width != hidden and any(
        tuple(parameter.shape) == (mlp.width,)
        for name, other in part.named_children()
        if name not in own
        for parameter in other.parameters(recurse=False)
    )


def _experts(path: str, part: nn.Module) -> Mlp | None:
    both, down = (part._parameters.get(name) for name in ("gate_up_proj", "down_proj"))
    if both is None or down is None or both.dim() != 3 or down.dim() != 3:
        return None
    if len(part._parameters) != 2 or getattr(part, "is_transposed", False):
        return None  # with biases, or the other way round
    experts, hidden, width = down.shape
    if tuple(both.shape) != (experts, 2 * width, hidden):
        return None
    return Mlp(path, ("gate_up_proj",), "down_proj", width, experts)


def _in_a_row(path: str, part: nn.Sequential) -> Iterator[Mlp]:
    """Two linear layers of a ``Sequential`` with nothing but activations between them."""
    last: str | None = None
    for name, layer in part.named_children():
        if not is_matrix(layer):
            if next(layer.parameters(), None) is not None or _mixes(layer):
                last = None
            continue
        if last is not None:
            yield Mlp(path, (last,), name, matrix(layer).shape[1])
        last = name


def _mixes(layer: nn.Module) -> bool:
    """Whether a layer without parameters is more than an activation of each number."""
    kind = type(layer)
    return kind.__module__ not in ("torch.nn.modules.activation", "torch.nn.modules.dropout") or (
        kind.__name__ in ("Softmax", "LogSoftmax", "Softmin", "Softmax2d", "GLU")
    )
