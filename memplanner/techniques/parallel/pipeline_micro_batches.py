"""How many micro-batches a pipeline's schedule needs, and how many of them show its peak."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import count, pairwise
from typing import Literal

from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.plan.sharding_choices import Schedule

Phase = Literal["forward", "backward"]
Work = tuple[Phase, int]
"""A forward or a backward, and of which micro-batch."""


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


@dataclass(frozen=True)
class Order:
    """The order in which one stage works on its micro-batches, under GPipe or 1F1B."""

    schedule: Schedule
    in_flight: int
    """Micro-batches whose forwards are run before the first backward."""
    count: int

    @cached_property
    def work(self) -> tuple[Work, ...]:
        """As torch's schedules run it (``torch/distributed/pipelining/schedules.py``)."""
        found: list[Work] = [("forward", number) for number in range(self.in_flight)]
        for number in range(self.count):
            found.append(("backward", number))
            if self.in_flight + number < self.count:
                found.append(("forward", self.in_flight + number))
        return tuple(found)

    def place(self, phase: str, number: int) -> int:
        """Where a micro-batch's forward or backward comes."""
        return self._places[phase, number]

    @cached_property
    def _places(self) -> dict[tuple[str, int], int]:
        return {work: place for place, work in enumerate(self.work)}

    @property
    def rounds(self) -> int:
        """How many rounds of a forward and a backward there are after the first backward."""
        return self.count - self.in_flight

    @property
    def pairs(self) -> tuple[tuple[Work, Work], ...]:
        """Of the recorded ones those that stand for others, each beside one that is alike."""
        last, rounds = self.count - 1, self.rounds
        ahead = self.in_flight if self.all_alike else self.in_flight - 1
        forwards = range(1, ahead), range(self.in_flight, self.count)
        backwards = range(1, rounds), range(rounds + 1, last)
        if self.all_alike:
            backwards = range(1, last), range(0)
        alike: list[tuple[Phase, range]] = [("forward", part) for part in forwards]
        alike += [("backward", part) for part in backwards]
        found: list[tuple[Work, Work]] = []
        for phase, part in alike:
            found += [((phase, one), (phase, two)) for one, two in pairwise(part)]
        return tuple(found)

    @property
    def all_alike(self) -> bool:
        """Whether all between the first and the last are to be alike, before the rounds and after.

        So few are in flight that there are no two that stand for others beside those that do not.
        """
        return 1 < self.in_flight < 4

    def stands_for(self, work: Work, recorded: Order) -> Work:
        """What in ``recorded``, one of :func:`shortened`, is like ``work`` of this order."""
        phase, number = work
        if number == 0:
            return work
        if number == self.count - 1:
            return phase, recorded.count - 1
        if phase == "forward" and number < self.in_flight:
            return phase, recorded.in_flight - 1 if number == self.in_flight - 1 else 1
        if phase == "forward":
            return phase, recorded.in_flight + (number > self.in_flight)
        if number > self.rounds:  # no forward comes between
            return phase, recorded.rounds + 1
        return phase, recorded.rounds if number == self.rounds else 1


def order_of(section: Sharding, stage: int, micro_batches: int) -> Order | None:
    """The order of a stage, counted from 0; None for schedules of several stages a card."""
    if section.pipeline == 1 or section.schedule not in ("gpipe", "1f1b"):
        return None
    ahead = micro_batches if section.schedule == "gpipe" else section.pipeline - stage
    return Order(section.schedule, min(ahead, micro_batches), micro_batches)


def shortened(order: Order, plan: Plan) -> tuple[Order, ...]:
    """Shorter orders in which each kind of work is to be seen, to be tried in turn.

    ZeRO-3 under torch's pipelines no longer frees what it gathered once the rounds are through, and
    gradients that are let go of right before the first backward are there until its forward ends:
    then not all are alike.
    """
    alike = plan.sharding.data != "zero_3" and plan.training.zero_grad != "before_backward"
    if order.schedule == "gpipe":
        found = [Order("gpipe", 4, 4)]
    elif order.in_flight == 1:
        found = [Order("1f1b", 1, 4)]
    else:
        found = [Order("1f1b", 3, 5)] * alike + [Order("1f1b", 4, 7)]
    enough_rounds = order.schedule == "gpipe" or order.rounds >= 3
    return tuple(short for short in found if short.count < order.count and enough_rounds)
