"""A linear layer with int8 weights whose inputs are quantized when they come: for use alone.

Weights have a scale an output channel, inputs one a token, and the product is one of integers
(Dettmers et al. 2022, arXiv:2208.07339, its vector-wise quantization without the outliers apart).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from memplanner.techniques.low_bit.rounding import LARGEST_INT8, int8_scales

FEWEST_ROWS_CUDA = 17
"""Of the first matrix (ATen/native/cuda/Blas.cpp: ``_int_mm_out_cuda`` asks for more than 16)."""
MULTIPLE_CUDA = 8
"""Both sizes of a weight are one of it (the same place)."""


class DynamicInt8Linear(nn.Linear):
    """Gives no gradient to its input: whatever lies before it cannot be trained."""

    def __init__(
        self, weight: torch.Tensor, bias: nn.Parameter | None, *, fewest_rows: int = 0
    ) -> None:
        """Encodes ``weight`` (out, in), which is not kept; ``fewest_rows`` as the device asks."""
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.fewest_rows = fewest_rows
        scale = int8_scales(weight.detach())
        codes = (weight.detach().float() / scale).round_().clamp_(-LARGEST_INT8, LARGEST_INT8)
        self.codes = nn.Parameter(codes.to(torch.int8), requires_grad=False)
        self.scale = nn.Parameter(scale.view(-1), requires_grad=False)
        self.dtype = weight.dtype
        self.register_parameter("bias", bias)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]  # torch declares an attribute
        """The matrix (out, in) that the codes stand for, in the type it had before."""
        return (self.codes.float() * self.scale.unsqueeze(1)).to(self.dtype)

    def weights_in(self, name: str) -> int:
        """How many of the layer's numbers the parameter ``name`` holds: scales are none."""
        if name == "bias":
            return self.out_features
        return self.codes.numel() if name == "codes" else 0

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  (torch's own name)
        """The product, in the type of ``input``. Raises ``RuntimeError`` where it is to be trained.

        Rows are filled up where the device's product takes no fewer.
        """
        if torch.is_grad_enabled() and input.requires_grad:
            raise RuntimeError(
                "a layer with dynamic int8 gives no gradient; run it under torch.no_grad()"
            )
        with torch.no_grad():
            rows = input.reshape(-1, self.in_features)
            scale = int8_scales(rows)
            values = rows.to(torch.float32, copy=True).div_(scale).round_()
            codes = values.clamp_(-LARGEST_INT8, LARGEST_INT8).to(torch.int8)
            del values
            count = len(rows)
            if count < self.fewest_rows:
                codes = nn.functional.pad(codes, (0, 0, 0, self.fewest_rows - count))
            product = torch._int_mm(codes, self.codes.t())
            del codes
            result = product[:count].float().mul_(scale).mul_(self.scale)
            del product
            if self.bias is not None:
                result.add_(self.bias)
            return result.to(input.dtype).view(*input.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Beside torch's own words the format."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, dynamic int8"
        )


def use_dynamic_int8(
    module: nn.Module,
    names: Sequence[str],
    *,
    device: torch.device | None = None,
    on_cuda: bool = False,
) -> None:
    """Puts a ``DynamicInt8Linear`` in the place of each layer in ``names``, one by one.

    Takes ``nn.Linear`` and GPT-2's ``Conv1D``; each weight is encoded on ``device``.
    """
    for name in names:
        layer: Any = module.get_submodule(name)
        weight = layer.weight.detach()
        if not isinstance(layer, nn.Linear):
            weight = weight.t().contiguous()
        quantized = DynamicInt8Linear(
            weight.to(device), layer.bias, fewest_rows=FEWEST_ROWS_CUDA if on_cuda else 0
        )
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, quantized.train(layer.training))
        del layer, weight
