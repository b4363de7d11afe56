"""How many micro-batches a pipeline's schedule needs, and how many of them show its peak."""

from __future__ import annotations

from itertools import count

from memplanner.plan.sharding import Sharding


def refused(section: Sharding, micro_batches: int) -> str | None:
    """Why so many micro-batches do not suit the schedule, with the nearest numbers that do."""
    if section.pipeline == 1 or _suits(section, micro_batches):
        return None
    fewer = (number for number in range(micro_batches - 1, 0, -1) if _suits(section, number))
    more = (number for number in count(micro_batches + 1) if _suits(section, number))
    nearest = [number for number in (next(fewer, 0), next(more)) if number]
    return (
        f"sharding.schedule={section.schedule} over {section.pipeline} cards cannot deal with "
        f"{micro_batches} micro-batches; choose training.gradient_accumulation_steps="
        f"{' or '.join(map(str, nearest))}."
    )


def _suits(section: Sharding, micro_batches: int) -> bool:
    """As ``torch/distributed/pipelining/schedules.py`` asks."""
    if section.schedule == "gpipe":
        return True
    if section.schedule == "1f1b":
        return micro_batches >= section.pipeline
    return micro_batches % _rounds(section, micro_batches) == 0


def _rounds(section: Sharding, micro_batches: int) -> int:
    return max(1, micro_batches // section.pipeline)


def enough(section: Sharding, micro_batches: int) -> int:
    """The fewest micro-batches whose peak is that of ``micro_batches``, buffers apart.

    Under 1F1B the first stage has as many in flight as there are stages, and then takes one for
    each that it ends: three more show the steady state, and one more is run. Interleaved schedules
    go in rounds of as many micro-batches each as the full number has; three rounds show the steady
    one. Under GPipe all are in flight.
    """
    if section.schedule == "gpipe":
        return micro_batches
    if section.schedule == "1f1b":
        return min(micro_batches, section.pipeline + 4)
    rounds = _rounds(section, micro_batches)
    return micro_batches // rounds * min(rounds, 3)
