"""A frozen linear layer that stores only what is not zero, and a bit a weight to say where."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

CHUNK = 2**20
"""Weights expanded at a time: what an expansion takes beside its result stays small."""


class PackedLinear(nn.Linear):
    """Gradients reach its input and its bias. ``weight`` is expanded each time it is read."""

    def __init__(
        self,
        weight: torch.Tensor,
        kept: torch.Tensor,
        count: int,
        bias: nn.Parameter | None,
        *,
        compute_type: torch.dtype | None = None,
    ) -> None:
        """``kept`` is True for the ``count`` numbers of ``weight`` (out, in) that stay.

        Products are in ``compute_type``, or in the type of their input.
        """
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.compute_type = compute_type
        self.values = nn.Parameter(_values(weight, kept, count), requires_grad=False)
        self.places = nn.Parameter(pack_bits(kept.flatten()), requires_grad=False)
        self._starts: tuple[int, ...] | None = None
        self.register_parameter("bias", bias)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]  # torch declares an attribute
        """The dense matrix (out, in).

        Without values there is nothing to expand: what walks over a module reads only its shape.
        """
        if self.values.is_meta:
            shape = (self.out_features, self.in_features)
            return torch.empty(shape, dtype=self.values.dtype, device="meta")
        return self.expanded(self.values.dtype)

    def expanded(self, dtype: torch.dtype) -> torch.Tensor:
        """The matrix (out, in) in ``dtype``."""
        total = self.out_features * self.in_features
        values = self.values.detach().to(dtype)
        result = torch.zeros(total, dtype=dtype, device=values.device)
        for place, first in enumerate(self._firsts()):
            start = place * CHUNK
            stop = min(start + CHUNK, total)
            kept = unpack_bits(self.places[start // 8 : -(-stop // 8)], stop - start)
            result[start:stop].masked_scatter_(kept, values[first:])
        return result.view(self.out_features, self.in_features)

    def _firsts(self) -> tuple[int, ...]:
        """How many values lie before each chunk; counted once where there is something to count."""
        if self._starts is None:
            total = self.out_features * self.in_features
            found = [0]
            for start in range(CHUNK, total, CHUNK):
                before = self.places[(start - CHUNK) // 8 : start // 8]
                own = 0 if before.is_meta else int(unpack_bits(before, CHUNK).sum())
                found.append(found[-1] + own)
            if self.places.is_meta:
                return tuple(found)
            self._starts = tuple(found)
        return self._starts

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._starts = None
        super()._load_from_state_dict(*args, **kwargs)

    def weights_in(self, name: str) -> int:
        """How many of the layer's numbers the parameter ``name`` holds."""
        return {"bias": self.out_features, "values": self.values.numel()}.get(name, 0)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  (torch's own name)
        """The product, in the type of ``input``. Neither input nor weight is kept for backward."""
        result: torch.Tensor = _Product.apply(input, self.bias, self)  # type: ignore[no-untyped-call]  # torch's own lack of types
        return result

    def extra_repr(self) -> str:
        """Beside torch's own words how much is stored."""
        return f"{super().extra_repr()}, {self.values.numel()} weights"


class _Product(torch.autograd.Function):
    """The weight is expanded again in backward."""

    @staticmethod
    def forward(
        ctx: Any, given: torch.Tensor, bias: torch.Tensor | None, layer: PackedLinear
    ) -> torch.Tensor:
        ctx.layer = layer
        ctx.types = given.dtype, None if bias is None else bias.dtype
        dtype = layer.compute_type or given.dtype
        own = None if bias is None else bias.to(dtype)
        product = nn.functional.linear(given.to(dtype), layer.expanded(dtype), own)
        return product.to(given.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        given = bias = None
        if ctx.needs_input_grad[1]:
            bias = gradient.flatten(0, -2).sum(0).to(ctx.types[1])
        if ctx.needs_input_grad[0]:
            dtype = ctx.layer.compute_type or gradient.dtype
            given = (gradient.to(dtype) @ ctx.layer.expanded(dtype)).to(ctx.types[0])
        return given, bias, None


def pack_bits(kept: torch.Tensor) -> torch.Tensor:
    """uint8, one bit a place, the lowest first; the last byte is filled with zeros."""
    size = -(-kept.numel() // 8)
    if kept.is_meta:
        return torch.empty(size, dtype=torch.uint8, device="meta")
    filled = torch.zeros(size * 8, dtype=torch.uint8, device=kept.device)
    filled[: kept.numel()] = kept
    weights = (1 << torch.arange(8, device=kept.device)).to(torch.uint8)
    return (filled.view(-1, 8) * weights).sum(dim=1, dtype=torch.uint8)


def unpack_bits(packed: torch.Tensor, count: int) -> torch.Tensor:
    """bool, the first ``count`` places."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    bits = (packed[:, None] >> shifts).bitwise_and_(1).view(-1)
    return bits[:count].bool()


def _values(weight: torch.Tensor, kept: torch.Tensor, count: int) -> torch.Tensor:
    if weight.is_meta:
        return torch.empty(count, dtype=weight.dtype, device="meta")
    return weight[kept]
