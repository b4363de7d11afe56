"""The largest micro-batch or the longest sequence of a plan whose tensors a device can hold.

Memory does not fall where either grows, so the border is found by narrowing it down; many sizes
are evaluated at once, from one recording.
"""

from __future__ import annotations

from collections.abc import Callable

from memplanner.plan import Plan
from memplanner.search.evaluation import Evaluation
from memplanner.search.largest import LARGEST_BATCH, LONGEST_CONTEXT

_AT_ONCE = 16

Sized = Callable[[int], Plan]
"""The plan with another micro-batch or sequence."""


def sized(evaluation: Evaluation, plan: Plan, prefer: str) -> tuple[Sized, int]:
    """How ``plan`` is made larger for the goal, and up to what.

    A larger micro-batch takes as many fewer of them as the samples of a step allow. Cards that
    share a sequence take pieces of equal length: sizes then count such lengths.
    """
    training = plan.training
    if prefer == "longest_sequence":
        model, parts = evaluation.model, plan.sharding.sequence_parts
        most = model.max_sequence_length or LONGEST_CONTEXT
        most = most if model.takes_sequence else training.sequence_length

        def longer(size: int) -> Plan:
            changed = training.model_copy(update={"sequence_length": size * parts})
            return plan.model_copy(update={"training": changed})

        return longer, most // parts

    samples = training.batch_size * training.gradient_accumulation_steps

    def larger(size: int) -> Plan:
        steps = max(1, samples // size)
        if plan.optimizer.update == "in_backward":
            steps = 1
        changed = training.model_copy(
            update={"batch_size": size, "gradient_accumulation_steps": steps}
        )
        return plan.model_copy(update={"training": changed})

    return larger, LARGEST_BATCH


def largest_held(evaluation: Evaluation, make: Sized, most: int, holds_bytes: int) -> int:
    """The largest size up to ``most`` at which no more than ``holds_bytes`` are allocated; or 0.

    Where sizes follow no forms each probe is a recording of its own, and there are few. Raises
    what ``estimate`` raises.
    """
    at_once = _AT_ONCE if evaluation.is_arithmetic(make(2), make(4)) else 1
    low, high = 0, most + 1
    while high - low > 1:
        if high == most + 1:  # doubled until it is too much
            first = 2 * low or 1
            probes = [first << power for power in range(min(at_once, 4))]
            probes = [size for size in probes if size < high] or [most]
        else:
            step = max(1, (high - low) // (at_once + 1))
            probes = list(range(low + step, high, step))
        figures = evaluation.figures([make(size) for size in probes])
        held = [one.allocated_bytes <= holds_bytes for one in figures]
        low = max([low, *(size for size, fits in zip(probes, held, strict=True) if fits)])
        high = min([high, *(size for size, fits in zip(probes, held, strict=True) if not fits)])
    return low
