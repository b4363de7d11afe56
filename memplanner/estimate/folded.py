"""A step from the few recorded blocks alone: nothing is unfolded, many points at once.

Each middle stretch of a recording stands for as many as the model has; the algebra's closed form
repeats it. What an estimate shows in detail comes from the unfolded tape (``fold.py``); searches
need peaks only, thousands of them (``peak_forms.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from memplanner.estimate.algebra import Stretch, product
from memplanner.estimate.periods import KEPT, Cut, Periods
from memplanner.messages.estimate import CATEGORIES
from memplanner.tape.tape import Array, Tape


class _Repetition(NamedTuple):
    """After the event before ``place`` come ``times`` copies of events ``start`` to ``stop``."""

    place: int
    start: int
    stop: int
    times: int


@dataclass(frozen=True, slots=True)
class FoldedStep:
    """One recorded step with what repeats in it."""

    tape: Tape
    repetitions: tuple[_Repetition, ...]

    @classmethod
    def of(cls, tape: Tape, cuts: Sequence[Cut]) -> FoldedStep | None:
        """The step of a tape recorded with ``cuts``; None where repetitions are entangled."""
        found: list[_Repetition] = []
        for cut in as_recorded(cuts):
            periods = Periods.of(tape, cut)
            if periods is None:
                return None
            for pair in periods.pairs:
                one, two = periods.stretches[pair], periods.stretches[pair + 1]
                middle = one if one.label == 1 else two
                found.append(_Repetition(one.stop, middle.start, middle.stop, cut.periods - KEPT))
        found.sort()
        entangled = any(
            first.start < second.place < first.stop
            or first.place == second.place
            or (first.start < second.stop and second.start < first.stop)
            for place, first in enumerate(found)
            for second in found[place + 1 :]
        )
        return None if entangled else cls(tape, tuple(found))

    def stretches(
        self, table_bytes: Array, borders: Sequence[int], *, by_category: bool
    ) -> list[Stretch]:
        """The step in parts that end at each of ``borders``, places among events, and at its end.

        ``table_bytes`` has the size of each recorded storage at each point. What is repeated at a
        border counts to the part before it. Rows are the categories, or one for all together.
        """
        tape = self.tape
        storages = np.abs(tape.events) - 1
        changes = np.sign(tape.events)[:, None] * table_bytes[storages]
        if by_category:
            own = tape.category[storages][None, :] == np.arange(len(CATEGORIES))[:, None]
            changes = np.where(own[:, :, None], changes[None], 0)
        else:
            changes = changes[None]
        rows, events, count = changes.shape
        edges = sorted(
            {0, events, *borders}.union(
                *((part.place, part.start, part.stop) for part in self.repetitions)
            )
        )
        parts = {start: Stretch.of(changes[:, start:stop]) for start, stop in pairwise(edges)}
        copies = {part.place: part for part in self.repetitions}
        found: list[Stretch] = []
        order: list[Stretch] = []
        for start in [*edges[:-1], events]:
            if start in copies:
                copy = copies[start]
                inside = (parts[edge] for edge in parts if copy.start <= edge < copy.stop)
                order.append(product(inside, rows, count).repeated(copy.times))
            if start in borders or start == events:
                found.append(product(order, rows, count))
                order = []
            if start in parts:
                order.append(parts[start])
        return found


def as_recorded(cuts: Sequence[Cut]) -> Iterator[Cut]:
    """The cuts, their blocks numbered as they are on a tape that none was unfolded of yet."""
    gone: dict[str, int] = {}
    for cut in cuts:
        yield replace(cut, start=cut.start - gone.get(cut.path, 0))
        gone[cut.path] = gone.get(cut.path, 0) + (cut.periods - KEPT) * cut.period
