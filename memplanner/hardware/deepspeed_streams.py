"""What DeepSpeed's overlapping streams may hold longer than the code that frees it says."""

from __future__ import annotations

from memplanner.hardware.margin import Margin
from memplanner.hardware.overhead import row_of
from memplanner.messages.estimate import OverheadRow
from memplanner.plan import Plan

NAME = "DeepSpeed's overlapping streams"
_OUTSTANDING = 2
"""Reductions, and gatherings, whose buffers ZeRO-3 lets stand before it waits
(``stage3.py: max_param_reduce_events``, ``partitioned_param_coordinator.py:
__max_ongoing_fetch_events``)."""


def deepspeed_streams(plan: Plan, trained: int) -> tuple[OverheadRow, ...]:
    """A row that widens the margin upwards; none where no stream overlaps.

    ``trained`` elements of parameters have gradients: a bucket never holds more. torch's allocator
    takes a block back only when the stream that used it is through with it
    (``record_stream``); by then the next bucket may be asked for.
    """
    section = plan.sharding
    if not section.deepspeed:
        return ()
    size = 4 if plan.precision == "fp32" else 2
    elements = 0
    if section.data == "zero_3":
        elements += _OUTSTANDING * section.prefetch_bucket_size
    if section.overlaps_reductions:
        times = _OUTSTANDING if section.data == "zero_3" else 1
        elements += min(times * section.reduce_bucket_size, trained)
    if not elements:
        return ()
    return (row_of(NAME, Margin(0, 0, size * elements), "reckoned from DeepSpeed's source"),)
