"""What CUDA kernels of a recorded step take while they run: computed, where no card is at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from memplanner.hardware.kernels import (
    AttentionShape,
    cudnn_backward_bytes,
    efficient_backward_bytes,
    flash_backward_bytes,
)
from memplanner.techniques.target import Target

aten = torch.ops.aten


def scratch_bytes(target: Target, func: Any, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The sizes of what ``func`` allocates and frees inside itself; they are alive together."""
    known = _KERNELS.get(id(func))
    return () if known is None else known(target, args)


def _flash(target: Target, args: tuple[Any, ...]) -> tuple[int, ...]:
    return flash_backward_bytes(_shape(*args[1:4]))


def _cudnn(target: Target, args: tuple[Any, ...]) -> tuple[int, ...]:
    return (cudnn_backward_bytes(_shape(*args[1:4])).expected_bytes,)


def _efficient(target: Target, args: tuple[Any, ...]) -> tuple[int, ...]:
    dropout = len(args) > 9 and bool(args[9])
    return efficient_backward_bytes(_shape(*args[1:4]), target.capability, dropout)


_KERNELS: dict[int, Callable[[Target, tuple[Any, ...]], tuple[int, ...]]] = {
    id(aten._scaled_dot_product_flash_attention_backward.default): _flash,
    id(aten._scaled_dot_product_efficient_attention_backward.default): _efficient,
    id(aten._scaled_dot_product_cudnn_attention_backward.default): _cudnn,
}


def _shape(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> AttentionShape:
    """The sizes of a call whose tensors are (batch, heads, sequence, width)."""
    batch, heads, queries, width = query.shape
    return AttentionShape(
        batch=batch,
        heads=heads,
        key_heads=key.size(1),
        queries=queries,
        keys=key.size(2),
        width=width,
        value_width=value.size(3),
        itemsize=query.element_size(),
    )
