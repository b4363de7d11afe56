"""Attention heads: which layers hold them, and leaving some out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from memplanner.techniques.sparsity.masks import highest
from memplanner.techniques.sparsity.matrices import (
    child,
    importance,
    is_matrix,
    keep_inputs,
    keep_of_table,
    keep_outputs,
    matrix,
    other_parameters,
)

_HEAD_NAMES: tuple[tuple[str, ...], ...] = tuple(
    (*names, output)
    for names in (("q_proj", "k_proj", "v_proj"), ("query", "key", "value"))
    for output in ("o_proj", "out_proj", "dense")
)
_OTHER_NAMES: tuple[tuple[str, ...], ...] = (
    ("self.query", "self.key", "self.value", "output.dense"),
    ("q", "k", "v", "o"),
    ("c_attn", "c_attn", "c_attn", "c_proj"),
)
"""BERT's and T5's, and GPT-2's one layer for queries, keys and values."""
_SIZES = ("head_dim", "attention_head_size", "head_size", "key_value_proj_dim")
_NORMS = ("q_norm.weight", "k_norm.weight", "q_layernorm.weight", "k_layernorm.weight")


@dataclass(frozen=True, slots=True)
class Attention:
    """Queries, keys, values and output of one attention module, each a layer of its own."""

    path: str
    names: tuple[str, ...]
    """Of the query, key, value and output layer."""
    heads: int
    key_value_heads: int
    head_size: int
    tables: tuple[tuple[str, int], ...] = ()
    """Further parameters with something for each head, and in which dimension."""
    together: str = ""
    """Those with the same word here keep the same heads: they share one position bias."""

    @property
    def fused(self) -> bool:
        """Whether one layer makes queries, keys and values, one after the other."""
        return self.names[0] == self.names[1]

    @property
    def group(self) -> int:
        """Query heads that share a key and a value head."""
        return self.heads // self.key_value_heads

    @property
    def own(self) -> tuple[str, ...]:
        """What it is made of, with a parent inside of it: layers and tables by head."""
        return tuple(
            name for name in (*self.names, *(table for table, _ in self.tables)) if "." in name
        )

    @property
    def units(self) -> int:
        """What can be left out one by one: key and value heads with their queries.

        Where all queries share one, its queries.
        """
        return self.key_value_heads if self.key_value_heads > 1 else self.heads

    def after(self, units: int) -> tuple[int, int]:
        """Query heads, and key and value heads, when ``units`` are left."""
        return (units * self.group, units) if self.key_value_heads > 1 else (units, 1)


def find_attentions(module: nn.Module, *, every: bool = False) -> list[Attention]:
    """The attention modules whose heads are rows of layers of their own.

    Left out are those that hold something more for each head, such as sinks or position biases,
    and those with one fused layer for queries, keys and values. With ``every``, those of BERT, T5,
    GPT-2 and Swin are there too, which many a configuration cannot describe with fewer heads.
    """
    found = []
    for path, part in module.named_modules():
        other = _other(path, part) if every else None
        if other is not None:
            found.append(other)
            continue
        size = next((getattr(part, name) for name in _SIZES if hasattr(part, name)), None)
        if not isinstance(size, int) or size < 1:
            continue
        for names in _HEAD_NAMES:
            layers = [child(part, name) for name in names]
            if all(is_matrix(layer) for layer in layers):
                attention = _fitting(path, part, names, size)
                if attention is not None:
                    found.append(attention)
                break
    return found


def heads_left(attention: Attention, ratio: float) -> int:
    """How many units stay: the nearest whole number, at least 1."""
    return max(attention.units - round(ratio * attention.units), 1)


def head_scores(
    module: nn.Module, attention: Attention, method: str, inputs: torch.Tensor | None
) -> torch.Tensor:
    """A score for each unit, (units,), as ``mlp_scores`` has for neurons.

    ``inputs`` are the norms of the output layer's inputs, (heads × size,).
    """
    part = module.get_submodule(attention.path)
    query, key, value, output = (child(part, name) for name in attention.names)
    if method == "wanda":
        assert inputs is not None
        return _by_unit(matrix(output).float().norm(dim=0) * inputs, attention)
    total = _by_unit(importance(output, method).sum(dim=0), attention)
    if attention.fused:
        rows = importance(query, method).sum(dim=1)
        return total + sum(_by_unit(each, attention) for each in rows.view(3, -1))
    shared = (key, value) if attention.key_value_heads > 1 else ()
    for layer in (query, *shared):
        total = total + _by_unit(importance(layer, method).sum(dim=1), attention)
    return total


def _by_unit(scores: torch.Tensor, attention: Attention) -> torch.Tensor:
    return scores.view(attention.units, -1).sum(dim=1)


def leave_out_heads(
    module: nn.Module, attention: Attention, scores: torch.Tensor, units: int
) -> None:
    """Leaves the ``units`` with the highest scores, in place."""
    part: Any = module.get_submodule(attention.path)
    query, key, value, output = (child(part, name) for name in attention.names)
    kept = highest(scores, units)
    each = attention.heads // attention.units * attention.head_size
    rows = _spread(kept, each)
    if attention.fused:
        width = attention.heads * attention.head_size
        keep_outputs(query, torch.cat([rows, rows + width, rows + 2 * width]))
    else:
        keep_outputs(query, rows)
    keep_inputs(output, rows)
    for name, dim in attention.tables:
        keep_of_table(part, name, dim, kept)
    if attention.key_value_heads > 1 and not attention.fused:
        for layer in (key, value):
            keep_outputs(layer, _spread(kept, attention.head_size))
    heads, key_value_heads = attention.after(units)
    changed = {
        "num_heads": (attention.heads, heads),
        "num_attention_heads": (attention.heads, heads),
        "num_key_value_heads": (attention.key_value_heads, key_value_heads),
        "num_key_value_groups": (attention.group, heads // key_value_heads),
        "n_heads": (attention.heads, heads),
    }
    widths = attention.heads * attention.head_size, heads * attention.head_size
    changed |= dict.fromkeys(("all_head_size", "inner_dim", "split_size"), widths)
    holders = [part, *(child(part, name.rpartition(".")[0]) for name in attention.own)]
    for holder in holders:
        for name, (before, after) in changed.items():
            if holder.__dict__.get(name) == before:
                setattr(holder, name, after)


def _fitting(path: str, part: nn.Module, names: tuple[str, ...], size: int) -> Attention | None:
    query, key, value, output = (matrix(child(part, name)) for name in names)
    heads, key_value_heads = query.shape[0] // size, key.shape[0] // size
    if key_value_heads == 0 or heads * size != query.shape[0] or heads % key_value_heads:
        return None
    if key.shape[0] != key_value_heads * size or value.shape[0] != key.shape[0]:
        return None
    if output.shape[1] != query.shape[0]:
        return None
    more = (
        tuple(parameter.shape)
        for name, parameter in other_parameters(part, names)
        if not (name in _NORMS and tuple(parameter.shape) == (size,))
    )
    if any({heads, key_value_heads, heads * size, key_value_heads * size} & set(s) for s in more):
        return None
    return Attention(path, names, heads, key_value_heads, size)


def _other(path: str, part: nn.Module) -> Attention | None:
    """BERT's, T5's, GPT-2's or Swin's attention, or None."""
    for names in (*_OTHER_NAMES, *_HEAD_NAMES[:1]):
        layers = [child(part, name) for name in names]
        if not all(is_matrix(layer) for layer in layers):
            continue
        holder = child(part, names[0].rpartition(".")[0]) if "." in names[0] else part
        size = next((getattr(holder, name) for name in _SIZES if hasattr(holder, name)), None)
        if not isinstance(size, int) or size < 1:
            continue
        query, key, value, output = (matrix(layer) for layer in layers)
        fused = names[0] == names[1]
        heads = output.shape[1] // size
        width = 3 * heads * size if fused else heads * size
        if heads < 2 or heads * size != output.shape[1]:
            continue
        if not all(each.shape[0] == width for each in (query, key, value)):
            continue
        inside = holder if holder is not part else part
        prefix = "" if inside is part else names[0].rpartition(".")[0] + "."
        tables = _tables(inside, prefix, names, heads)
        if tables is None:
            continue
        if not tables and names in _HEAD_NAMES:
            continue  # found as every attention is
        stack, separated, _ = path.partition(".block.")
        shared = bool(separated) and path.endswith("SelfAttention")
        return Attention(path, names, heads, heads, size, tables, stack if shared else "")
    return None


def _tables(
    holder: nn.Module, prefix: str, names: tuple[str, ...], heads: int
) -> tuple[tuple[str, int], ...] | None:
    """What the holder has for each head beside the layers; None where that is not clear."""
    own = tuple(f"{name}." for name in names)
    found = []
    for name, parameter in holder.named_parameters():
        whole = prefix + name
        if whole.startswith(own):
            continue
        dims = [dim for dim, size in enumerate(parameter.shape) if size == heads]
        if parameter.dim() != 2 or len(dims) != 1:
            return None
        found.append((whole, dims[0]))
    return tuple(found)


def _spread(indices: torch.Tensor, size: int) -> torch.Tensor:
    """The rows of whole heads: ``size`` for each index."""
    rows = torch.arange(size, device=indices.device)
    return (indices[:, None] * size + rows).flatten()
