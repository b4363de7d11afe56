"""How many numbers a module holds, each shared one once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Counts:
    """Elements, not bytes."""

    parameters: int
    trainable: int
    buffers: int


def count(module: nn.Module) -> Counts:
    """What ``module`` holds; tensors that view the same storage in the same way count once."""
    parameters = list(_distinct(module.parameters()))
    return Counts(
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        buffers=sum(buffer.numel() for buffer in _distinct(module.buffers())),
    )


def _distinct(tensors: Iterable[torch.Tensor]) -> Iterable[torch.Tensor]:
    seen = set()
    for tensor in tensors:
        # A meta tensor's address is 0; its storage object is what tells it from others.
        key = (tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.shape)
        if key not in seen:
            seen.add(key)
            yield tensor
