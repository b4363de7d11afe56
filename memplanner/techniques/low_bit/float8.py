"""Linear layers whose products are of 8-bit floating numbers, in training.

As torchao's ``convert_to_float8_training`` with its default recipe: inputs and weights in e4m3,
gradients in e5m2, one scale a tensor, found anew each time (torchao/float8/float8_linear.py;
Micikevicius et al. 2022, arXiv:2209.05433). Weights, gradients and what is kept for backward keep
their types: what is gained is time, on cards with such products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

MULTIPLE_CUDA = 16
"""All sizes of a product are one of it (ATen/native/cuda/ScaledBlas.cpp: ``_scaled_mm``)."""
_SMALLEST_AMAX = 1e-12
"""Below it a tensor counts as zero (torchao/float8/float8_utils.py: ``EPS``)."""


class Float8Linear(nn.Linear):
    """Keeps and trains the weight it was made of."""

    def __init__(
        self, layer: Any, *, compute_type: torch.dtype | None = None, multiple: int = 1
    ) -> None:
        """Takes the parameters of ``layer``, a linear layer or GPT-2's ``Conv1D``.

        Results are in ``compute_type``, or in the type of their input; tokens are filled up to a
        ``multiple`` where they are summed over.
        """
        nn.Module.__init__(self)
        self.transposed = not isinstance(layer, nn.Linear)
        shape = layer.weight.shape
        self.in_features, self.out_features = shape if self.transposed else shape[::-1]
        self.compute_type, self.multiple = compute_type, multiple
        self.register_parameter("weight", layer.weight)
        self.register_parameter("bias", layer.bias)

    def matrix_of(self, weight: torch.Tensor) -> torch.Tensor:
        """The layer's weight as (out, in)."""
        values = weight.detach()
        return values.t() if self.transposed else values

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  (torch's own name)
        """The product, in its compute type."""
        given = input if self.compute_type is None else input.to(self.compute_type)
        result: torch.Tensor = _Float8Product.apply(given, self.weight, self.bias, self)  # type: ignore[no-untyped-call]  # torch's own lack of types
        return result

    def extra_repr(self) -> str:
        """Beside torch's own words the type of the products."""
        return f"{super().extra_repr()}, products in fp8"


Scaled = tuple[torch.Tensor, torch.Tensor]
"""Numbers in 8 bits, and the scale (fp32, no dimension) that they are multiplied by."""


def to_float8(values: torch.Tensor, dtype: torch.dtype) -> Scaled:
    """The largest magnitude becomes the largest number of ``dtype``."""
    largest = torch.finfo(dtype).max
    scale = largest / values.abs().amax().float().clamp_(min=_SMALLEST_AMAX)
    scaled = values.to(torch.float32, copy=True).mul_(scale).clamp_(-largest, largest).to(dtype)
    return scaled, scale.reciprocal_()


def _product(first: Scaled, second: Scaled, dtype: torch.dtype) -> torch.Tensor:
    """First (a, k) times second (b, k) transposed, in ``dtype``; both lie row by row."""
    result: torch.Tensor = torch._scaled_mm(
        first[0], second[0].t(), scale_a=first[1], scale_b=second[1], out_dtype=dtype
    )
    return result


def _turned(given: Scaled, multiple: int = 1) -> Scaled:
    """The transposed, row by row, its rows filled up with zeros to a ``multiple``."""
    values, scale = given
    turned = values.t().contiguous()
    missing = -turned.shape[1] % multiple
    if missing:  # 8-bit floating numbers cannot be padded, their bits can
        bits = nn.functional.pad(turned.view(torch.uint8), (0, missing))
        turned = bits.view(values.dtype)
    return turned, scale


class _Float8Product(torch.autograd.Function):
    """Keeps its input and its weight, which is there anyway."""

    @staticmethod
    def forward(
        ctx: Any,
        given: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        layer: Float8Linear,
    ) -> torch.Tensor:
        ctx.layer = layer
        ctx.bias_type = None if bias is None else bias.dtype
        ctx.save_for_backward(given, weight)
        rows = to_float8(given.reshape(-1, given.shape[-1]), torch.float8_e4m3fn)
        kept = to_float8(layer.matrix_of(weight).contiguous(), torch.float8_e4m3fn)
        result = _product(rows, kept, given.dtype)
        if bias is not None:
            result.add_(bias)
        return result.view(*given.shape[:-1], layer.out_features)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        given, weight = ctx.saved_tensors
        layer: Float8Linear = ctx.layer
        for_given = for_weight = for_bias = None
        rows = gradient.reshape(-1, gradient.shape[-1])
        scaled = to_float8(rows, torch.float8_e5m2)
        if ctx.needs_input_grad[0]:
            kept = to_float8(layer.matrix_of(weight).contiguous(), torch.float8_e4m3fn)
            for_given = _product(scaled, _turned(kept), gradient.dtype).view(given.shape)
        if ctx.needs_input_grad[1]:
            inputs = to_float8(given.reshape(-1, given.shape[-1]), torch.float8_e4m3fn)
            product = _product(
                _turned(scaled, layer.multiple), _turned(inputs, layer.multiple), gradient.dtype
            )
            product = product.t().contiguous() if layer.transposed else product
            for_weight = product.to(weight.dtype)
        if ctx.needs_input_grad[2]:
            for_bias = rows.sum(0).to(ctx.bias_type)
        return for_given, for_weight, for_bias, None


def use_float8(
    module: nn.Module,
    names: Sequence[str],
    *,
    compute_type: torch.dtype | None = None,
    on_cuda: bool = False,
) -> None:
    """Puts a ``Float8Linear`` in the place of each layer in ``names``."""
    for name in names:
        layer = module.get_submodule(name)
        made = Float8Linear(
            layer, compute_type=compute_type, multiple=MULTIPLE_CUDA if on_cuda else 1
        )
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, made.train(layer.training))
