"""bitsandbytes' own kernels, where it is installed: the field's NF4 on CUDA cards."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import torch

from memplanner.techniques.low_bit.codebooks import DYNAMIC_BLOCK, NF4_BLOCK
from memplanner.techniques.low_bit.expansion import Tensors
from memplanner.techniques.low_bit.formats import Format


@cache
def installed() -> bool:
    """Whether bitsandbytes can be imported; it is not imported for the answer."""
    return find_spec("bitsandbytes") is not None


def expand_nf4(
    tensors: Tensors, constants: Tensors, kept: Format, shape: tuple[int, int], dtype: torch.dtype
) -> torch.Tensor:
    """What ``expansion.expand_weight`` gives for NF4, by one kernel; on meta tensors its shape.

    Weightless tensors need no kernel: what it allocates are the scales, where they are quantized
    themselves, and the result.
    """
    if tensors["codes"].is_meta:
        if "scale" not in tensors:
            _scale = torch.empty_like(tensors["scale_codes"], dtype=torch.float32)
        return torch.empty(shape, dtype=dtype, device="meta")
    import bitsandbytes  # noqa: F401  (registers the operations; two seconds, only needed here)

    operations = torch.ops.bitsandbytes
    scale = tensors.get("scale")
    if scale is None:
        scale = operations.dequantize_blockwise(
            tensors["scale_codes"],
            tensors["scale_scale"],
            constants["dynamic_map"],
            DYNAMIC_BLOCK,
            torch.float32,
        )
        scale = scale.add_(tensors["scale_mean"])
    expanded: torch.Tensor = operations.dequantize_4bit(
        tensors["codes"], scale, NF4_BLOCK, kept.method, list(shape), dtype
    )
    return expanded
