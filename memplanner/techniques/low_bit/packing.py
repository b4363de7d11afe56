"""Codes of 1 to 8 bits in bytes, without gaps.

The bits of a code are split into planes of 4, 2 and 1 bits (3 = 2 + 1), each packed by itself,
the first code in a byte's highest bits: 4 bits lie as bitsandbytes' do. A plane is read through a
table of 256 rows, so no code is ever shifted while a weight is expanded.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import torch

ALIGNMENT = 8
"""Codes from one multiple of it to the next fill whole bytes in every plane."""


def planes(bits: int) -> tuple[int, ...]:
    """The widths of the planes of a code, the lowest bits in the widest: ``(2, 1)`` for 3."""
    if not 1 <= bits <= 8:
        raise ValueError(f"codes have 1 to 8 bits, not {bits}")
    return tuple(width for width in (8, 4, 2, 1) if bits & width)


def packed_bytes(count: int, bits: int) -> int:
    """Bytes that ``count`` codes take."""
    return sum(_plane_bytes(count, width) for width in planes(bits))


def pack(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """The codes (uint8, one dimension) packed into uint8 of ``packed_bytes``."""
    parts = []
    shift = 0
    for width in planes(bits):
        parts.append(_pack_plane((codes >> shift) & (2**width - 1), width))
        shift += width
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def unpack(packed: torch.Tensor, bits: int, count: int) -> torch.Tensor:
    """The ``count`` codes in ``packed``, in int32."""
    return read(packed, bits, count, 0, count, code_tables(bits, packed.device))[:count]


def code_tables(bits: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    """For each plane what a byte adds to the codes in it: int32, 256 × codes in a byte.

    A plane of 8 bits needs none and has none.
    """
    tables = []
    shift = 0
    for width in planes(bits):
        if width < 8:
            tables.append((_digits(width) << shift).to(device))
        shift += width
    return tuple(tables)


def level_table(levels: torch.Tensor, bits: int) -> torch.Tensor:
    """For a code of one plane the levels of a byte's codes: 256 × codes in a byte."""
    (width,) = planes(bits)
    return levels[_digits(width).long()]


def read(
    packed: torch.Tensor,
    bits: int,
    count: int,
    start: int,
    stop: int,
    tables: tuple[torch.Tensor, ...],
) -> torch.Tensor:
    """Codes ``start`` to ``stop`` of ``count``, in int32; ``start`` is a multiple of ALIGNMENT.

    Where the last byte is not full, codes follow that are none.
    """
    if bits == 8:
        return packed[start:stop].to(torch.int32)
    total: torch.Tensor | None = None
    for table, (first, last) in zip(tables, byte_ranges(bits, count, start, stop), strict=True):
        part = torch.index_select(table, 0, packed[first:last].to(torch.int32)).view(-1)
        total = part if total is None else total.add_(part[: len(total)])
        total = total[: stop - start]
    assert total is not None
    return total


def byte_ranges(bits: int, count: int, start: int, stop: int) -> list[tuple[int, int]]:
    """For each plane the bytes that codes ``start`` to ``stop`` of ``count`` lie in."""
    widths = planes(bits)
    offsets = [0]
    for width in widths:
        offsets.append(offsets[-1] + _plane_bytes(count, width))
    return [
        (begin + start * width // 8, min(begin + _plane_bytes(stop, width), end))
        for width, (begin, end) in zip(widths, pairwise(offsets), strict=True)
    ]


def _plane_bytes(count: int, width: int) -> int:
    return -(-count * width // 8)


def _pack_plane(codes: torch.Tensor, width: int) -> torch.Tensor:
    per_byte = 8 // width
    if per_byte == 1:
        return codes
    missing = -len(codes) % per_byte
    if missing:
        codes = torch.nn.functional.pad(codes, (0, missing))
    columns = codes.view(-1, per_byte)
    packed = columns[:, per_byte - 1].clone()
    for place in range(per_byte - 1):
        packed |= columns[:, place] << (width * (per_byte - 1 - place))
    return packed


@cache
def _digits(width: int) -> torch.Tensor:
    """The codes in each of the 256 bytes, in order: int32, 256 × codes in a byte."""
    shifts = torch.arange(8 - width, -1, -width, dtype=torch.int32)
    values = torch.arange(256, dtype=torch.int32).unsqueeze(1)
    digits: torch.Tensor = (values >> shifts) & (2**width - 1)
    return digits
