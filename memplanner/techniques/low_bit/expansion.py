"""From the tensors that keep a weight in few bits back to the weight.

Every operation is torch's own and the same on all devices, the meta device included, so that
what it takes is recorded like anything else. It goes over a large matrix in chunks: beside the
result there are never more than some megabytes, or a sixteenth of the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import lcm

import torch

from memplanner.techniques.low_bit.codebooks import DYNAMIC_BLOCK, dynamic_map
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.packing import (
    ALIGNMENT,
    byte_ranges,
    code_tables,
    level_table,
    planes,
    read,
)

EXPANDED_AT_ONCE = 2**20
"""Weights."""
MOST_CHUNKS = 16
"""Of one matrix: a chunk grows with a matrix that is larger than so many."""

Tensors = Mapping[str, torch.Tensor]


def tables(kept: Format, device: torch.device) -> dict[str, torch.Tensor]:
    """The small constants that expansion reads; layers of one format may share them."""
    found: dict[str, torch.Tensor] = {}
    if len(planes(kept.bits)) == 1 and kept.bits < 8:
        found["byte_levels"] = level_table(kept.levels(), kept.bits)
    else:
        for place, table in enumerate(code_tables(kept.bits, torch.device("cpu"))):
            found[f"byte_codes_{place}"] = table
        if kept.method != "linear" or kept.symmetric:
            found["levels"] = kept.levels()
    if kept.double_quantization:
        found["dynamic_map"] = dynamic_map()
    return {name: table.to(device) for name, table in found.items()}


@torch.no_grad()
def expand_weight(
    tensors: Tensors, constants: Tensors, kept: Format, shape: tuple[int, int], dtype: torch.dtype
) -> torch.Tensor:
    """The matrix of ``shape`` (out, in) in ``dtype``; computed in fp32 and rounded once."""
    count, block = shape[0] * shape[1], kept.block(shape)
    codes = tensors["codes"]
    result = torch.empty(count, dtype=dtype, device=codes.device)
    scale = block_scales(tensors, constants)
    minimum = tensors["minimum"].float() if kept.has_minimum else None
    for start, stop in chunks(count, block):
        _expand_chunk(
            result[start:stop], codes, constants, kept, (start, stop, count), block, scale, minimum
        )
    return result.view(shape)


def block_scales(tensors: Tensors, constants: Tensors) -> torch.Tensor:
    """The scale of each block, in fp32."""
    if "scale" in tensors:
        return tensors["scale"].float()
    codes = tensors["scale_codes"]
    scales = torch.index_select(constants["dynamic_map"], 0, codes.to(torch.int32))
    by_block(scales, tensors["scale_scale"], DYNAMIC_BLOCK, torch.Tensor.mul_)
    return scales.add_(tensors["scale_mean"])


def chunks(count: int, block: int) -> Iterator[tuple[int, int]]:
    """Stretches that begin at whole bytes and whole blocks, or lie in the only block."""
    unit = ALIGNMENT if block >= count else lcm(block, ALIGNMENT)
    wanted = max(EXPANDED_AT_ONCE, -(-count // MOST_CHUNKS))
    step = -(-wanted // unit) * unit
    for start in range(0, count, step):
        yield start, min(start + step, count)


def _expand_chunk(
    result: torch.Tensor,
    codes: torch.Tensor,
    constants: Tensors,
    kept: Format,
    stretch: tuple[int, int, int],
    block: int,
    scale: torch.Tensor,
    minimum: torch.Tensor | None,
) -> None:
    start, stop, count = stretch
    values = _levels(codes, constants, kept, start, stop, count)
    blocks = slice(start // block, -(-stop // block))
    inside = min(block, count)
    by_block(values, scale[blocks], inside, torch.Tensor.mul_)
    if minimum is not None:
        by_block(values, minimum[blocks], inside, torch.Tensor.add_)
    result.copy_(values)


def _levels(
    codes: torch.Tensor, constants: Tensors, kept: Format, start: int, stop: int, count: int
) -> torch.Tensor:
    """The levels of codes ``start`` to ``stop``, in fp32."""
    if "byte_levels" in constants:
        ((first, last),) = byte_ranges(kept.bits, count, start, stop)
        index = codes[first:last].to(torch.int32)
        found = torch.index_select(constants["byte_levels"], 0, index)
        return found.view(-1)[: stop - start]
    if kept.bits == 8 and "levels" not in constants:
        return codes[start:stop].float()
    parts = tuple(part for name, part in constants.items() if name.startswith("byte_codes"))
    whole = read(codes, kept.bits, count, start, stop, parts)
    if "levels" not in constants:
        return whole.float()
    return torch.index_select(constants["levels"], 0, whole)


def by_block(
    values: torch.Tensor, each: torch.Tensor, block: int, change: Callable[..., object]
) -> None:
    """Changes every block of ``values`` in place by its own number; the last may be shorter."""
    if len(each) == 1:
        change(values, each)
        return
    full = len(values) // block
    if full:
        change(values[: full * block].view(full, block), each[:full].unsqueeze(1))
    if full * block < len(values):
        change(values[full * block :], each[full])
