"""Quantization-aware training: a linear layer that computes with its weight rounded.

The gradient goes to the whole weight as if it had not been rounded (straight-through estimator:
Bengio, Léonard and Courville 2013, arXiv:1308.3432; Jacob et al. 2018, arXiv:1712.05877).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.rounding import round_rows, round_weight


class RoundedLinear(nn.Linear):
    """Keeps the weight it was made of and trains it; what it computes with is the rounded one.

    The rounded weight is made anew in forward and in backward, and kept in neither.
    """

    def __init__(
        self,
        layer: Any,
        kept: Format,
        *,
        compute_type: torch.dtype | None = None,
        rounds_inputs: bool = False,
    ) -> None:
        """Takes the parameters of ``layer``, a linear layer or GPT-2's ``Conv1D``.

        ``kept`` is a ``linear`` format. Products are in ``compute_type``, or in the type of their
        input; ``rounds_inputs`` rounds that to int8, token by token.
        """
        nn.Module.__init__(self)
        self.transposed = not isinstance(layer, nn.Linear)
        shape = layer.weight.shape
        self.in_features, self.out_features = shape if self.transposed else shape[::-1]
        self.kept, self.compute_type, self.rounds_inputs = kept, compute_type, rounds_inputs
        self.register_parameter("weight", layer.weight)
        self.register_parameter("bias", layer.bias)

    def rounded(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight (out, in) in ``dtype`` that products are made with."""
        weight = self.weight.t() if self.transposed else self.weight
        return round_weight(weight, self.kept, dtype)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  (torch's own name)
        """The product, in its compute type."""
        given = input if self.compute_type is None else input.to(self.compute_type)
        result: torch.Tensor = _RoundedProduct.apply(given, self.weight, self.bias, self)  # type: ignore[no-untyped-call]  # torch's own lack of types
        return result

    def extra_repr(self) -> str:
        """Beside torch's own words the format."""
        return f"{super().extra_repr()}, rounded to {self.kept.bits} bits"


class _RoundedProduct(torch.autograd.Function):
    """Keeps its input alone; the weight is there anyway."""

    @staticmethod
    def forward(
        ctx: Any,
        given: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        layer: RoundedLinear,
    ) -> torch.Tensor:
        ctx.layer = layer
        ctx.bias_type = None if bias is None else bias.dtype
        ctx.save_for_backward(given)
        own_bias = None if bias is None else bias.to(given.dtype)
        inputs = round_rows(given) if layer.rounds_inputs else given
        return nn.functional.linear(inputs, layer.rounded(given.dtype), own_bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        (given,) = ctx.saved_tensors
        layer: RoundedLinear = ctx.layer
        for_given = for_weight = for_bias = None
        rows = gradient.reshape(-1, gradient.shape[-1])
        if ctx.needs_input_grad[0]:
            for_given = gradient @ layer.rounded(gradient.dtype)
        if ctx.needs_input_grad[1]:
            inputs = (round_rows(given) if layer.rounds_inputs else given).reshape(
                -1, given.shape[-1]
            )
            product = inputs.t() @ rows if layer.transposed else rows.t() @ inputs
            for_weight = product.to(layer.weight.dtype)
        if ctx.needs_input_grad[2]:
            for_bias = rows.sum(0).to(ctx.bias_type)
        return for_given, for_weight, for_bias, None


def round_layers(
    module: nn.Module,
    names: Sequence[str],
    kept: Mapping[str, Format],
    *,
    compute_type: torch.dtype | None = None,
    rounds_inputs: bool = False,
) -> None:
    """Puts a ``RoundedLinear`` in the place of each layer in ``names``."""
    for name in names:
        layer = module.get_submodule(name)
        rounded = RoundedLinear(
            layer, kept[name], compute_type=compute_type, rounds_inputs=rounds_inputs
        )
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, rounded.train(layer.training))
