"""How the allocator rounds sizes. Only arithmetic."""

from __future__ import annotations

import numpy as np

from memplanner.estimate.allocator.settings import DIVISION_INTERVALS, AllocatorSettings
from memplanner.tape.tape import Array
from memplanner.units import MIB

SMALLEST_BLOCK_BYTES = 512
"""``kMinBlockSize``: every address and size is a multiple of it."""
SMALL_BYTES = MIB
"""``kSmallSize``: the largest request of the small pool."""
SMALL_SEGMENT_BYTES = 2 * MIB
"""``kSmallBuffer``."""
LARGE_BYTES = 10 * MIB
"""``kMinLargeAlloc``: requests from here on get a segment of their own size."""
LARGE_ROUNDING_BYTES = 2 * MIB
"""``kRoundLarge``."""


def round_sizes(size_bytes: Array, settings: AllocatorSettings) -> Array:
    """What each request is rounded to, in bytes (``round_size``); nothing stays nothing."""
    sizes = np.asarray(size_bytes, dtype=np.int64)
    rounded: Array = -(-sizes // SMALLEST_BLOCK_BYTES) * SMALLEST_BLOCK_BYTES
    if not any(settings.roundup_power2_divisions):
        return rounded
    safe = np.maximum(sizes, 1)
    # exact for integers below 2⁵³: frexp gives the exponent of the next power of two
    exponent = np.frexp(safe.astype(np.float64))[1].astype(np.int64) - 1
    interval = np.clip(exponent - 20, 0, DIVISION_INTERVALS - 1)  # 2²⁰ is 1 MiB
    divisions = np.array(settings.roundup_power2_divisions, dtype=np.int64)[interval]
    applies = (divisions > 1) & (sizes > SMALLEST_BLOCK_BYTES * divisions)
    # roundup_power2_next_division: the space up to the next power of two in equal parts
    part = np.left_shift(1, exponent) // np.maximum(divisions, 1)
    stepped = -(-sizes // np.maximum(part, 1)) * part
    result: Array = np.where(applies, stepped, rounded)
    return result


def segment_bytes(size_bytes: int, settings: AllocatorSettings) -> int:
    """What is asked of the driver for a rounded request (``get_allocation_size``)."""
    if size_bytes <= SMALL_BYTES:
        return SMALL_SEGMENT_BYTES
    if size_bytes < LARGE_BYTES:
        return settings.large_segment_size_bytes
    return -(-size_bytes // LARGE_ROUNDING_BYTES) * LARGE_ROUNDING_BYTES
