"""Which plans cannot split sequences over a ring of cards."""

from __future__ import annotations

from collections.abc import Iterator

from memplanner.plan import Plan
from memplanner.techniques.inference import trains
from memplanner.techniques.target import Target

_KINDS = ("cpu", "cuda", "rocm")
"""Devices whose kernels torch's ring is handed here."""


def conflicts_with_context(plan: Plan, target: Target) -> Iterator[str]:
    """Sentences, each with the nearest choice that can be carried out; none without a ring."""
    section, kernel = plan.sharding, plan.attention.kernel
    if section.context == 1:
        return
    asked = f"sharding.context={section.context}"
    if target.kind not in _KINDS:
        yield f"{asked} needs kernels that {target.kind} does not have; choose sharding.context=1."
    if not trains(plan):
        yield f"{asked} is planned for training alone; choose sharding.context=1."
    if kernel in {"math", "eager"}:
        yield (
            f"{asked} needs a fused kernel, whose statistics the ring joins, and attention.kernel "
            f"is {kernel}; choose attention.kernel=auto."
        )
    length = plan.training.sequence_length
    if length % section.sequence_parts:
        yield (
            f"{asked} deals out pieces of equal length, and {section.sequence_parts} do not "
            f"divide training.sequence_length={length}; choose "
            f"{divided_lengths(length, section.sequence_parts)}."
        )


def divided_lengths(length: int, parts: int) -> str:
    """The lengths next to one that ``parts`` divides, such as ``14 or 16``."""
    below = length // parts * parts
    return " or ".join(str(each) for each in (below, below + parts) if each)
