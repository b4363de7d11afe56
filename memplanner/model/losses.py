"""Where the loss is in what a model returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from memplanner.errors import SourceError


def loss_of(output: Any) -> torch.Tensor:
    """The scalar to differentiate: ``output.loss``, else its key ``loss``, else a sum.

    The sum is that of the first tensor with a gradient in ``output``; it stands in for a loss
    where the model computes none, and costs next to no memory. Raises ``SourceError`` when
    there is no such tensor.
    """
    loss = getattr(output, "loss", None)
    if loss is None and isinstance(output, Mapping):
        loss = output.get("loss")
    if isinstance(loss, torch.Tensor):
        return loss if loss.dim() == 0 else loss.sum()
    for tensor in _tensors(output):
        if tensor.requires_grad:
            return tensor if tensor.dim() == 0 else tensor.sum()
    raise SourceError(
        f"The model returned {type(output).__name__} without a loss or a tensor that has a "
        "gradient; return the loss as .loss or as the result."
    )


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
