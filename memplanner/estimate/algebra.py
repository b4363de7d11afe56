"""Stretches of a tape as pairs: what they leave allocated, and their highest moment.

Two stretches one after the other are a stretch again:
(d₁, p₁) · (d₂, p₂) = (d₁ + d₂, max(p₁, d₁ + p₂)). That is associative, so equal blocks in a row
have a closed form: the highest moment lies in the first of them or in the last. Numbers are arrays
over several points (batch and sequence) at once, and rows of them, such as one for each category:
the moment is the highest of their sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from memplanner.tape.tape import Array


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive events, counted from the stretch's own beginning, shaped (rows, points).

    ``highest_bytes`` are the rows at the moment at which their sum is highest, the earliest of
    several; the beginning itself, where all is 0, counts as a moment.
    """

    net_bytes: Array
    highest_bytes: Array

    @classmethod
    def of(cls, changes_bytes: Array) -> Stretch:
        """The stretch of ``changes_bytes``, shaped (rows, events, points), of one event or more."""
        rows, _, points = changes_bytes.shape
        if rows == 1:  # no moment to find, only its height
            curve = np.cumsum(changes_bytes[0], axis=0)
            return cls(curve[-1:], np.maximum(curve.max(axis=0), 0)[None])
        begun = np.zeros((rows, 1, points), dtype=np.int64)
        curves = np.concatenate([begun, np.cumsum(changes_bytes, axis=1)], axis=1)
        moment = curves.sum(axis=0).argmax(axis=0)
        return cls(curves[:, -1], curves[:, moment, np.arange(points)])

    @classmethod
    def empty(cls, rows: int, points: int) -> Stretch:
        """No events: the neutral element."""
        zero = np.zeros((rows, points), dtype=np.int64)
        return cls(zero, zero)

    def __mul__(self, later: Stretch) -> Stretch:
        """This stretch, then ``later``."""
        reached = self.net_bytes + later.highest_bytes
        return Stretch(self.net_bytes + later.net_bytes, _higher(self.highest_bytes, reached))

    def repeated(self, times: int) -> Stretch:
        """This stretch ``times`` times in a row.

        The k-th one reaches (k − 1) · net + highest: a straight line in k, highest at an end.
        """
        if times == 0:
            return Stretch.empty(*self.net_bytes.shape)
        last = (times - 1) * self.net_bytes + self.highest_bytes
        return Stretch(times * self.net_bytes, _higher(self.highest_bytes, last))


def product(stretches: Iterable[Stretch], rows: int, points: int) -> Stretch:
    """All stretches, one after the other."""
    return reduce(Stretch.__mul__, stretches, Stretch.empty(rows, points))


def _higher(first: Array, second: Array) -> Array:
    """At each point the rows with the higher sum; the first ones where both are equal."""
    return np.where(second.sum(axis=0) > first.sum(axis=0), second, first)
