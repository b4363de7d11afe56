"""The largest batch × context that fits: by bisection over estimates.

Fitting is the verdict of an estimate, which is promised for the high end of its margin. Memory
does not fall where batch or context grow, so halving finds the border exactly; each probe is an
estimate of its own, from one recording where sizes follow forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from memplanner.errors import DeviceError, PlanError
from memplanner.estimate import Prediction, estimate
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.messages.largest import Largest, LargestRow
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.units import format_count

CONTEXTS = tuple(2**power for power in range(10, 18))
"""From 1,024 tokens on; the model's own limit joins them."""
BATCHES = (1, 2, 4, 8, 16)
LARGEST_BATCH = 2**16
LONGEST_CONTEXT = 2**20


def largest(
    model: Model,
    plan: Plan | None = None,
    device: Device | str = "cpu",
    *,
    contexts: Sequence[int] | None = None,
    batches: Sequence[int] = BATCHES,
) -> Largest:
    """For each context the largest batch, and for each batch the longest context, that fit.

    The context is ``training.sequence_length``: the prompt's length where the plan generates.
    Raises ``DeviceError`` where the device's memory is not known, and what ``estimate`` raises.
    """
    started = perf_counter()
    chosen = find_device(device) if isinstance(device, str) else device
    planned = Plan() if plan is None else plan
    if chosen.memory_bytes is None:
        raise DeviceError(
            f"The memory of {chosen.name} is not known; name a card of the catalogue."
        )
    probe = _Probe(model, planned, chosen)
    by_context = tuple(probe.largest_batch(length) for length in probe.lengths(contexts))
    by_batch = tuple(probe.longest_context(size) for size in batches) if probe.takes else ()
    section = planned.inference
    return Largest(
        device=chosen,
        plan=planned,
        new_tokens=section.new_tokens if section.use == "generation" else 0,
        by_context=by_context,
        by_batch=by_batch,
        seconds=perf_counter() - started,
    )


class _Probe:
    """Estimates of one model and plan at other points."""

    def __init__(self, model: Model, plan: Plan, device: Device) -> None:
        self.model, self.plan, self.device = model, plan, device
        self.takes = model.takes_sequence
        self.limit = self._limit()

    def _limit(self) -> int:
        """The longest context that the model takes."""
        positions = self.model.max_sequence_length
        if positions is None:
            return LONGEST_CONTEXT
        section = self.plan.inference
        if section.use == "generation" and not self.model.config.get("is_encoder_decoder"):
            positions -= section.new_tokens
        if positions < 1:
            positions = self.model.max_sequence_length or 1
            raise PlanError(
                f"{self.model.name} has positions for {format_count(positions)} tokens; choose "
                f"inference.new_tokens of at most {positions - 1}."
            )
        return positions

    def lengths(self, asked: Sequence[int] | None) -> list[int]:
        """The contexts to ask about."""
        if not self.takes:
            return [self.plan.training.sequence_length]
        if asked is not None:
            return sorted({min(length, self.limit) for length in asked})
        known = {length for length in CONTEXTS if length < self.limit}
        return sorted(known | ({self.limit} if self.limit <= CONTEXTS[-1] else set()))

    def largest_batch(self, length: int) -> LargestRow:
        """The row of one context."""
        size = _border(lambda batch: self._fits(batch, length), LARGEST_BATCH)
        return self._row(size, length, bounded=size == LARGEST_BATCH)

    def longest_context(self, batch: int) -> LargestRow:
        """The row of one batch."""
        parts = self.plan.sharding.sequence_parts  # cards take pieces of equal length
        longest = self.limit // parts
        found = _border(lambda times: self._fits(batch, times * parts), longest)
        return self._row(batch, found * parts, bounded=found == longest)

    def _row(self, batch: int, length: int, *, bounded: bool) -> LargestRow:
        peak = self._at(batch, length).peak if batch and length else None
        return LargestRow(
            batch_size=batch,
            sequence_length=length,
            peak_bytes=None if peak is None else peak.allocated_bytes,
            device_high_bytes=None if peak is None else peak.device_high_bytes,
            bounded=bounded,
        )

    def _fits(self, batch: int, length: int) -> bool:
        prediction = self._at(batch, length)
        capacity = self.device.memory_bytes
        # what surely does not fit needs no replay
        if capacity is not None and prediction.peak.allocated_bytes > capacity:
            return False
        return prediction.verdict == "fits"

    def _at(self, batch: int, length: int) -> Prediction:
        training = self.plan.training.model_copy(
            update={"batch_size": batch, "sequence_length": length}
        )
        plan = self.plan.model_copy(update={"training": training})
        return estimate(self.model, plan, self.device)


def _border(fits: Callable[[int], bool], highest: int) -> int:
    """The largest number from 1 to ``highest`` that fits; 0 where not even 1 does."""
    low, high = 0, 1
    while high <= highest and fits(high):
        low, high = high, high * 2
    high = min(high, highest + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
