"""A model that was opened: how to build it, with what to call it, where its loss is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from memplanner.messages.estimate import ModelInfo

Batch = dict[str, Any]
"""Keyword arguments of one forward; tensors on the device that was asked for."""


class MakeBatch(Protocol):
    """Makes one micro-batch of the planned shape, on any device, the meta device included."""

    def __call__(self, batch_size: int, sequence_length: int, device: torch.device) -> Batch:
        """Keyword arguments of one forward."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Model:
    """A source made ready: nothing here holds weights.

    ``build(device)`` makes the module: on ``meta`` weightless, elsewhere with random weights.
    ``load_weights(module)`` fills a built module with the source's weights, or is None where
    the source has none.
    """

    name: str
    class_name: str
    source: str
    kind: str
    """Of the source: ``preset``, ``hugging_face``, ``safetensors``, ``gguf``, ``recipe``, …"""
    build: Callable[[torch.device], nn.Module]
    batch: MakeBatch
    loss: Callable[[Any], torch.Tensor]
    parameter_count: int
    trainable_parameter_count: int
    buffer_count: int = 0
    load_weights: Callable[[nn.Module], None] | None = None
    max_sequence_length: int | None = None
    takes_sequence: bool = True
    parameters_only: bool = False
    """The source names parameters but no forward: an estimate covers what they take."""
    set_attention: Callable[[nn.Module, str], None] | None = None
    tokenizer: str | None = None
    """A folder or file with the source's tokenizer, for training on the user's text."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The source's own configuration, for exports."""
    notes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """What ``load`` was told of an importable's inputs; with ``source`` it opens the same again."""
    trust_code: bool = False
    """Whether ``load`` was told that code which comes with the model may run."""

    def info(self) -> ModelInfo:
        """The model as messages name it."""
        return ModelInfo(
            name=self.name,
            class_name=self.class_name,
            source=self.source,
            kind=self.kind,
            parameters=self.parameter_count,
            trainable_parameters=self.trainable_parameter_count,
            buffers=self.buffer_count,
            weights="random" if self.load_weights is None else "real",
            max_sequence_length=self.max_sequence_length,
            takes_sequence=self.takes_sequence,
        )
