"""Weights and inputs rounded to few bits and back, by the same operations on every device."""

from __future__ import annotations

import torch

from memplanner.techniques.low_bit.encoding import divisors, scales
from memplanner.techniques.low_bit.expansion import by_block, chunks
from memplanner.techniques.low_bit.formats import Format

LARGEST_INT8 = 127


@torch.no_grad()
def round_weight(weight: torch.Tensor, kept: Format, dtype: torch.dtype) -> torch.Tensor:
    """The matrix (out, in) in ``dtype`` as it comes back from a ``linear`` format, bit for bit.

    Chunk by chunk, so that beside the result there is one chunk in fp32. Limits are not searched.
    """
    shape = (weight.shape[0], weight.shape[1])
    flat, block = weight.detach().reshape(-1), kept.block(shape)
    low, high = _limits(flat, block)
    scale, minimum = scales(low, high, kept, weight.dtype)
    divisor = divisors(scale)
    largest = 2**kept.bits - 1 if kept.has_minimum else 2 ** (kept.bits - 1) - 1
    smallest = 0 if kept.has_minimum else -largest
    result = torch.empty(len(flat), dtype=dtype, device=flat.device)
    inside = min(block, len(flat))
    for start, stop in chunks(len(flat), block):
        blocks = slice(start // block, -(-stop // block))
        values = flat[start:stop].to(torch.float32, copy=True)
        if minimum is not None:
            by_block(values, minimum[blocks], inside, torch.Tensor.sub_)
        by_block(values, divisor[blocks], inside, torch.Tensor.div_)
        values.round_().clamp_(smallest, largest)
        by_block(values, scale[blocks], inside, torch.Tensor.mul_)
        if minimum is not None:
            by_block(values, minimum[blocks], inside, torch.Tensor.add_)
        result[start:stop].copy_(values)
    return result.view(shape)


def _limits(flat: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest and the largest weight of each block, in fp32; the last may be shorter."""
    full = len(flat) // block * block
    low, high = [], []
    if full:
        rows = flat[:full].view(-1, block)
        low.append(rows.amin(1))
        high.append(rows.amax(1))
    if full < len(flat):
        low.append(flat[full:].amin().view(1))
        high.append(flat[full:].amax().view(1))
    return torch.cat(low).float(), torch.cat(high).float()


def int8_scales(given: torch.Tensor) -> torch.Tensor:
    """For each row of the last dimension largest magnitude ÷ 127, fp32 (…, 1), never zero."""
    return divisors(given.abs().amax(-1, keepdim=True).float() / LARGEST_INT8)


@torch.no_grad()
def round_rows(given: torch.Tensor) -> torch.Tensor:
    """``given`` as it comes back from int8 with a scale a row (a token), in its own type."""
    scale = int8_scales(given)
    values = given.to(torch.float32, copy=True).div_(scale)
    return values.round_().clamp_(-LARGEST_INT8, LARGEST_INT8).mul_(scale).to(given.dtype)
