"""From a weight to the tensors that keep it in few bits."""

from __future__ import annotations

import torch

from memplanner.techniques.low_bit.codebooks import DYNAMIC_BLOCK, compress, dynamic_map, nf4
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.packing import pack

CLIPPING_STEPS = 20
"""Ratios that clipping tries, evenly from 1 down to ``LOWEST_RATIO``."""
LOWEST_RATIO = 0.5
"""As AWQ searches (Lin et al. 2023, arXiv:2306.00978; ``auto_clip``: 20 steps, half the range)."""
ENCODED_AT_ONCE = 2**22
"""Weights, so that a large matrix needs no fp32 copies of its own size."""
_SMALLEST = 1e-38
"""Below it bitsandbytes takes a block for zero (backends/default/ops.py)."""


def encode(weight: torch.Tensor, kept: Format) -> dict[str, torch.Tensor]:
    """The tensors of ``kept.layout`` for a matrix (out, in). On the meta device they are empty."""
    shape = (weight.shape[0], weight.shape[1])
    layout = kept.layout(shape, weight.dtype)
    if weight.device.type == "meta":
        return {
            name: torch.empty(size, dtype=dtype, device="meta")
            for name, (size, dtype) in layout.items()
        }
    flat = weight.detach().reshape(-1)
    block = kept.block(shape)
    step = max(ENCODED_AT_ONCE // block, 1) * block
    parts = [
        _encode_blocks(_in_blocks(flat[start : start + step], block), kept, weight.dtype)
        for start in range(0, len(flat), step)
    ]
    codes, scale, minimum = (torch.cat([part[place] for part in parts]) for place in range(3))
    found = {"codes": pack(codes[: len(flat)], kept.bits), "scale": scale}
    if kept.has_minimum:
        found["minimum"] = minimum
    if kept.double_quantization:
        found |= _encode_scales(found.pop("scale"))
    return {name: _alone(found[name].to(dtype)) for name, (_, dtype) in layout.items()}


def _alone(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in a storage of its own size: a view would keep what it was cut from."""
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _in_blocks(flat: torch.Tensor, block: int) -> torch.Tensor:
    """fp32 in rows of one block; the last is filled up with its last weight."""
    missing = -len(flat) % block
    flat = flat.float()
    if missing:
        flat = torch.cat([flat, flat[-1:].expand(missing)])
    return flat.view(-1, block)


Encoded = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Codes (uint8, flat), scales and lower limits (one a block)."""


def _encode_blocks(rows: torch.Tensor, kept: Format, dtype: torch.dtype) -> Encoded:
    if kept.method == "nf4":
        return _nf4(rows)
    low, high = rows.amin(1), rows.amax(1)
    ratio = _best_ratio(rows, low, high, kept, dtype) if kept.clipping else torch.ones_like(low)
    return _quantize(rows, low * ratio, high * ratio, kept, dtype)


def _quantize(
    rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor, kept: Format, dtype: torch.dtype
) -> Encoded:
    """Codes for limits, by the scales as they will be stored.

    Asymmetric: q = round((x − min) / (max − min) · (N − 1)); symmetric around zero. Companded
    values lie on an even symmetric grid behind the curve.
    """
    count = 2**kept.bits
    largest = count // 2 - 1
    scale, minimum = scales(low, high, kept, dtype)
    divisor = divisors(scale).unsqueeze(1)
    if minimum is not None:
        steps = (rows - minimum.unsqueeze(1)) / divisor
        codes = steps.round().clamp(0, count - 1)
        return codes.to(torch.uint8).view(-1), scale, minimum
    if kept.method == "companding":
        inside = (rows / divisor).clamp(-1, 1)
        steps = compress(inside, kept.curve, kept.curvature) * largest
    else:
        steps = rows / divisor
    codes = steps.round().clamp(-largest, largest) + count // 2
    return codes.to(torch.uint8).view(-1), scale, torch.zeros_like(scale)


def scales(
    low: torch.Tensor, high: torch.Tensor, kept: Format, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """For the limits of each block its scale, and its minimum where the format keeps one.

    In fp32, as they come back from ``dtype``, which they are stored in.
    """
    if kept.has_minimum:
        return _stored((high - low) / (2**kept.bits - 1), dtype), _stored(low, dtype)
    absmax = torch.maximum(low.abs(), high.abs())
    if kept.method == "companding":
        return _stored(absmax, dtype), None
    return _stored(absmax / (2 ** (kept.bits - 1) - 1), dtype), None


def _stored(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """fp32 as it comes back from ``dtype``."""
    return values.to(dtype).float()


def divisors(scale: torch.Tensor) -> torch.Tensor:
    """Scales to divide by; where all weights of a block are one, any but zero."""
    return torch.where(scale == 0, torch.ones_like(scale), scale)


def _best_ratio(
    rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor, kept: Format, dtype: torch.dtype
) -> torch.Tensor:
    """For each block the share of its limits with the least squared error, 1 among equals."""
    levels = kept.levels().to(rows.device)
    best = torch.ones_like(low)
    least = torch.full_like(low, float("inf"))
    for ratio in torch.linspace(1.0, LOWEST_RATIO, CLIPPING_STEPS).tolist():
        codes, scale, minimum = _quantize(rows, low * ratio, high * ratio, kept, dtype)
        values = levels[codes.view(rows.shape).long()] * scale.unsqueeze(1)
        error = (values + minimum.unsqueeze(1) - rows).square().sum(1)
        better = error < least
        best = torch.where(better, torch.full_like(best, ratio), best)
        least = torch.where(better, error, least)
    return best


def _nf4(rows: torch.Tensor) -> Encoded:
    """Source: bitsandbytes/backends/default/ops.py: ``quantize_4bit``."""
    codes, absmax = _nearest(rows, nf4().to(rows.device))
    return codes, absmax, torch.zeros_like(absmax)


def _nearest(rows: torch.Tensor, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest level of each value over its row's largest magnitude, and those magnitudes."""
    absmax = rows.abs().amax(1)
    scaled = (rows * (1.0 / absmax.clamp(min=_SMALLEST).unsqueeze(1))).clamp(-1, 1)
    bounds = (levels[:-1] + levels[1:]) / 2
    codes = torch.bucketize(scaled, bounds, out_int32=True)
    return codes.to(torch.uint8).view(-1), absmax


def _encode_scales(scale: torch.Tensor) -> dict[str, torch.Tensor]:
    """Double quantization (QLoRA, section 3): scales less their mean, in dynamic 8 bits.

    Source: bitsandbytes/functional.py: ``quantize_4bit`` with ``compress_statistics``.
    """
    mean = scale.mean()
    rows = _in_blocks(scale - mean, DYNAMIC_BLOCK)
    codes, scales = _nearest(rows, dynamic_map().to(scale.device))
    return {"scale_codes": codes[: len(scale)], "scale_scale": scales, "scale_mean": mean}
