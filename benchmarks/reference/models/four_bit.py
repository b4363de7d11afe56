"""bitsandbytes' ``Linear4bit`` on meta tensors: what it keeps and what it allocates on the way.

Sources: bitsandbytes ``functional.py: quantize_4bit, dequantize_4bit`` and
``autograd/_functions.py: MatMul4Bit``, in 0.41.1 and in 0.48, which differ in two points.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

BLOCK, DOUBLE_BLOCK = 64, 256
"""Weights that share a scale, and scales that share one (bitsandbytes' defaults)."""


class FourBitLinear(nn.Module):
    """Two weights a byte, a scale for 64, frozen.

    Everything is kept as bytes, so that a cast of the whole module leaves it as it is, as
    bitsandbytes does.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool,
        double: bool,
        expanded_type: torch.dtype,
        keeps_input: bool,
    ) -> None:
        """``expanded_type`` is what the weight was quantized from, and is expanded to.

        ``keeps_input`` is 0.41's habit of keeping its input for backward, of no use to it.
        """
        super().__init__()
        self.inputs, self.outputs, self.doubled = inputs, outputs, double
        self.expanded_type, self.keeps_input = expanded_type, keeps_input
        count = inputs * outputs
        self.scales = -(-count // BLOCK)
        self.packed = _bytes(count // 2)
        if double:  # scales in 8 bits, and an fp32 scale for 256 of them
            self.absmax = _bytes(self.scales)
            self.second = _bytes(4 * -(-self.scales // DOUBLE_BLOCK))
        else:
            self.absmax = _bytes(4 * self.scales)
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None

    def expanded(self, kind: torch.dtype) -> torch.Tensor:
        """The weight for one product, in ``kind``; its values are of no interest here."""
        device = self.packed.device
        if self.doubled:
            absmax = torch.empty(self.scales, device=device)
            absmax += 0
        shape = (self.outputs, self.inputs)
        return torch.empty(shape, dtype=self.expanded_type, device=device).to(kind)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        result: torch.Tensor = _Product.apply(x, self.bias, self)  # type: ignore[no-untyped-call]  # torch's own lack of types
        return result


class _Product(torch.autograd.Function):
    """The weight is expanded again in backward."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, bias: torch.Tensor | None, layer: FourBitLinear
    ) -> torch.Tensor:
        ctx.layer = layer
        if layer.keeps_input and ctx.needs_input_grad[0]:
            ctx.kept = x
        return F.linear(x, layer.expanded(x.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        if not ctx.needs_input_grad[0]:
            return None, None, None
        return torch.matmul(gradient, ctx.layer.expanded(gradient.dtype)), None, None


def _bytes(count: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(count, dtype=torch.uint8), requires_grad=False)
