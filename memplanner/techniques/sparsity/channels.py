"""Channels of convolutions: chains from one to the next, and making them narrower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from memplanner.techniques.sparsity.masks import highest
from memplanner.techniques.sparsity.matrices import importance_of


@dataclass(frozen=True, slots=True)
class Chain:
    """A convolution whose channels nothing takes but the next one, what lies between apart."""

    producer: str
    between: tuple[str, ...]
    """Norms of each channel and depthwise convolutions."""
    consumer: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of all modules."""
        return (self.producer, *self.between, self.consumer)


def channel_scores(module: nn.Module, chain: Chain, method: str) -> torch.Tensor:
    """A score for each channel, fp32 (channels,): the sum over the weights that make and take it.

    Of ``importance_of`` each.
    """
    producer: Any = module.get_submodule(chain.producer)
    consumer: Any = module.get_submodule(chain.consumer)
    made = importance_of(producer.weight, method).flatten(1).sum(dim=1)
    return made + importance_of(consumer.weight, method).transpose(0, 1).flatten(1).sum(dim=1)


def narrow_channels(module: nn.Module, chain: Chain, scores: torch.Tensor, width: int) -> None:
    """Leaves the ``width`` channels with the highest scores, in place."""
    kept = highest(scores, width)
    producer: Any = module.get_submodule(chain.producer)
    _keep(producer, kept)
    producer.out_channels = width
    for name in chain.between:
        part: Any = module.get_submodule(name)
        _keep(part, kept)
        if hasattr(part, "num_features"):
            part.num_features = width
        else:
            part.in_channels = part.out_channels = part.groups = width
    consumer: Any = module.get_submodule(chain.consumer)
    weight = consumer.weight
    own = weight.detach().index_select(1, kept)
    consumer.weight = nn.Parameter(own.contiguous(), requires_grad=weight.requires_grad)
    consumer.in_channels = width


def _keep(part: Any, kept: torch.Tensor) -> None:
    """Leaves of every parameter and buffer with something for each channel what is kept."""
    for name, parameter in list(part.named_parameters(recurse=False)):
        own = parameter.detach().index_select(0, kept).contiguous()
        setattr(part, name, nn.Parameter(own, requires_grad=parameter.requires_grad))
    for name, buffer in list(part.named_buffers(recurse=False)):
        if buffer.dim():
            weightless = kept.is_meta and not buffer.is_meta  # a module that is opened again
            own = buffer[: len(kept)].clone() if weightless else buffer.index_select(0, kept)
            setattr(part, name, own)
