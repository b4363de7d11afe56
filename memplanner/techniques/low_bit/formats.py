"""How a weight is kept in few bits, and which tensors that takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch

from memplanner.techniques.low_bit.codebooks import (
    DYNAMIC_BLOCK,
    NF4_BLOCK,
    Curve,
    companded_levels,
    even_levels,
    nf4,
)
from memplanner.techniques.low_bit.packing import packed_bytes

Layout = dict[str, tuple[tuple[int, ...], torch.dtype]]
"""Shape and type of each tensor that a weight is kept in, by name."""


@dataclass(frozen=True, slots=True)
class Format:
    """A way to keep a weight. Blocks of weights that share a scale count over the flat matrix."""

    method: Literal["linear", "nf4", "companding"]
    bits: int = 4
    granularity: Literal["group", "channel", "tensor"] = "group"
    group_size: int = 64
    symmetric: bool = False
    clipping: bool = False
    """Whether the limits are searched for the least squared error."""
    curve: Curve = "mu_law"
    curvature: float = 2.0
    double_quantization: bool = False

    @property
    def has_minimum(self) -> bool:
        """Whether each block keeps a lower limit beside its scale."""
        return self.method == "linear" and not self.symmetric

    def block(self, shape: tuple[int, int]) -> int:
        """Weights that share a scale in a matrix of ``shape`` (out, in)."""
        rows, columns = shape
        if self.method == "nf4":
            return NF4_BLOCK
        sizes = {"group": self.group_size, "channel": columns, "tensor": rows * columns}
        return sizes[self.granularity]

    def levels(self) -> torch.Tensor:
        """What each code stands for before its block's scale, in fp32."""
        if self.method == "nf4":
            return nf4()
        if self.method == "companding":
            return companded_levels(self.bits, self.curve, self.curvature)
        return even_levels(self.bits, symmetric=self.symmetric)

    def layout(self, shape: tuple[int, int], dtype: torch.dtype) -> Layout:
        """The tensors that a matrix of ``shape``, whose type was ``dtype``, is kept in.

        Scales keep the weight's own type; NF4's are fp32, as bitsandbytes' are, or with double
        quantization 8 bits, an fp32 scale for 256 of them, and their mean.
        """
        count = shape[0] * shape[1]
        blocks = -(-count // self.block(shape))
        tensors: Layout = {"codes": ((packed_bytes(count, self.bits),), torch.uint8)}
        if self.double_quantization:
            tensors["scale_codes"] = ((blocks,), torch.uint8)
            tensors["scale_scale"] = ((-(-blocks // DYNAMIC_BLOCK),), torch.float32)
            tensors["scale_mean"] = ((), torch.float32)
        else:
            tensors["scale"] = ((blocks,), torch.float32 if self.method == "nf4" else dtype)
        if self.has_minimum:
            tensors["minimum"] = ((blocks,), dtype)
        return tensors

    def kept_bytes(self, shape: tuple[int, int], dtype: torch.dtype) -> int:
        """Bytes that a matrix of ``shape`` takes, scales included."""
        layout = self.layout(shape, dtype).values()
        return sum(prod(size) * kind.itemsize for size, kind in layout)
