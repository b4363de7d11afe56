"""Which of many plans are worth a look: those that no other beats in everything at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from memplanner.messages.cost import RISKS, QualityRisk


class Cost(NamedTuple):
    """What a plan costs, in the three ways that are compared. Less is better in each."""

    memory_bytes: int
    seconds: float | None
    """Of a token or a sample; None where times are not known: then all take the same."""
    risk: QualityRisk

    @property
    def order(self) -> tuple[int, float, int]:
        """Memory, time and risk as numbers."""
        return self.memory_bytes, self.seconds or 0.0, RISKS.index(self.risk)

    def beats(self, other: Cost) -> bool:
        """Whether this is nowhere worse and somewhere better."""
        mine, its = self.order, other.order
        return mine != its and all(own <= theirs for own, theirs in zip(mine, its, strict=True))


def front(costs: Sequence[Cost]) -> list[int]:
    """The places of the costs that none beats (Pareto's front); of equal ones the first.

    From the smallest memory on, a plan stays if it is faster than all smaller ones that take no
    more risk.
    """
    orders = [cost.order for cost in costs]
    fastest = [inf] * len(RISKS)
    """Of those that stay, by the risk that they take or less."""
    kept = []
    for place in sorted(range(len(costs)), key=orders.__getitem__):
        _, seconds, risk = orders[place]
        if seconds < fastest[risk]:
            kept.append(place)
            for worse in range(risk, len(RISKS)):
                fastest[worse] = min(fastest[worse], seconds)
    return sorted(kept)
