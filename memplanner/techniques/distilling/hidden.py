"""A narrower width between blocks: a class built anew of a smaller configuration."""

from __future__ import annotations

from copy import deepcopy
from math import lcm
from typing import Any

import torch
from torch import nn

_SIZES = ("head_dim", "attention_head_size")
_HEADS = ("num_attention_heads", "num_key_value_heads")


def narrowed_hidden(config: Any, ratio: float, multiple: int) -> int:
    """What is left of the hidden size: the nearest multiple, of a head's size too.

    Of a head's size where the configuration names none, since heads then go with the width.
    """
    whole = int(config.hidden_size)
    if _head_size(config) is None:
        multiple = lcm(multiple, whole // int(config.num_attention_heads))
    return min(max(round((1 - ratio) * whole / multiple), 1) * multiple, whole)


def narrower_hidden(module: Any, ratio: float, multiple: int) -> Any:
    """``module`` with a narrower hidden size, on its device and in its type: another module.

    It is built by the module's own class. Each weight keeps its first rows and columns, so that
    channels, heads and neurons stay the same ones throughout.
    """
    before = int(module.config.hidden_size)
    config = smaller_config(module.config, narrowed_hidden(module.config, ratio, multiple))
    first = next(module.parameters())
    with torch.device(first.device):
        narrow = _weightless(type(module), config) if first.is_meta else type(module)(config)
    narrow.tie_weights()
    narrow = narrow.to(first.dtype).train(module.training)
    if not first.is_meta:
        _copy(module, narrow, before, int(config.hidden_size))
    return narrow


def smaller_config(config: Any, hidden: int) -> Any:
    """A configuration of the same class with another hidden size, read as from a file."""
    attention = config._attn_implementation
    values = deepcopy(config)
    before = int(values.hidden_size)
    if _head_size(values) is None:
        for name in _HEADS:
            heads = getattr(values, name, None)
            if isinstance(heads, int):
                setattr(values, name, max(heads * hidden // before, 1))
    values.hidden_size = hidden
    read = type(config).from_dict(values.to_dict())
    read._attn_implementation = attention
    return read


def _head_size(config: Any) -> int | None:
    """The size of a head, where the configuration has one apart from the hidden size."""
    return next((s for name in _SIZES if isinstance(s := getattr(config, name, None), int)), None)


def _weightless(model_class: Any, config: Any) -> Any:
    from transformers.initialization import no_init_weights

    with no_init_weights():
        return model_class(config)


@torch.no_grad()
def _copy(module: nn.Module, narrow: nn.Module, before: int, after: int) -> None:
    """The first rows and columns of each tensor; of one that joins several widths, of each."""
    given = dict(module.state_dict(keep_vars=True))
    for name, tensor in narrow.state_dict(keep_vars=True).items():
        own = given[name].detach()
        for dim, (wide, size) in enumerate(zip(own.shape, tensor.shape, strict=True)):
            if wide == size:
                continue
            if wide % before == 0 and wide // before * after == size:
                parts = own.unflatten(dim, (wide // before, before))
                own = parts.narrow(dim + 1, 0, after).flatten(dim, dim + 1)
            else:
                own = own.narrow(dim, 0, size)
        tensor.copy_(own)
