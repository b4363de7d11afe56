"""The highest moments of a recorded step as sums of forms: a peak is one product a moment.

What is allocated at a moment is a sum of forms in batch and sequence (``forms.py``), each with a
whole factor. A moment at which no factor is higher than at another one cannot be higher itself
where forms are not negative, and they never are. Few moments are left so, blocks that repeat
included, and the peak at any point is the highest of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memplanner.estimate.folded import FoldedStep
from memplanner.estimate.forms import Form, Forms
from memplanner.tape.tape import Array


@dataclass(frozen=True, slots=True)
class PeakForms:
    """The moments of a step that can be its highest."""

    moments_bytes: Array
    """Shaped (moments, forms): what each form is multiplied with."""
    known: tuple[Form, ...]

    @classmethod
    def of(cls, step: FoldedStep, forms: Forms) -> PeakForms:
        """The moments of a step whose storages have such forms."""
        used, column = np.unique(forms.form, return_inverse=True)
        events = step.tape.events
        storages = np.abs(events) - 1
        changes = np.zeros((len(events), len(used)), dtype=np.int64)
        signed = np.sign(events) * forms.constant_bytes[storages]
        changes[np.arange(len(events)), column.reshape(-1)[storages]] = signed
        whole = _whole(step, changes)
        return cls(whole.moments_bytes, tuple(forms.known[number] for number in used.tolist()))

    def peaks_bytes(self, points: Sequence[tuple[int, int]]) -> Array:
        """The highest allocated bytes at each point (batch size, sequence length)."""
        batch, length = np.array(points, dtype=np.int64).reshape(-1, 2).T
        values: Array = np.stack([form.values(batch, length) for form in self.known])
        peaks: Array = (self.moments_bytes @ values).max(axis=0)
        return peaks


@dataclass(frozen=True, slots=True)
class _Moments:
    """Consecutive events: what they leave, shaped (forms,), and moments among them.

    Counted from their own beginning, at which all is 0. Like ``algebra.Stretch``, of sums of forms
    in place of numbers.
    """

    net_bytes: Array
    moments_bytes: Array

    @classmethod
    def of(cls, changes: Array) -> _Moments:
        curve = np.cumsum(changes, axis=0)
        begun = np.zeros((1, changes.shape[1]), dtype=np.int64)
        return cls(curve[-1], undominated(np.concatenate([begun, curve])))

    def __mul__(self, later: _Moments) -> _Moments:
        moments = np.concatenate([self.moments_bytes, self.net_bytes + later.moments_bytes])
        return _Moments(self.net_bytes + later.net_bytes, undominated(moments))

    def repeated(self, times: int) -> _Moments:
        """The k-th reaches (k − 1) · net + moments: a straight line in k, highest at an end."""
        last = (times - 1) * self.net_bytes + self.moments_bytes
        moments = np.concatenate([self.moments_bytes, last])
        return _Moments(times * self.net_bytes, undominated(moments))


def _whole(step: FoldedStep, changes: Array) -> _Moments:
    events, forms = changes.shape
    edges = sorted(
        {0, events}.union(*((part.place, part.start, part.stop) for part in step.repetitions))
    )
    parts = {start: _Moments.of(changes[start:stop]) for start, stop in pairwise(edges)}
    copies = {part.place: part for part in step.repetitions if part.times}
    nothing = np.zeros(forms, dtype=np.int64)
    empty = whole = _Moments(nothing, nothing[None])
    for start in edges:
        if start in copies:
            copy, inside = copies[start], empty
            for edge in parts:
                if copy.start <= edge < copy.stop:
                    inside = inside * parts[edge]
            whole = whole * inside.repeated(copy.times)
        if start in parts:
            whole = whole * parts[start]
    return whole


def undominated(rows: Array) -> Array:
    """The rows that no other one is at least as high as in every column; of equal ones one."""
    rows = rows[np.argsort(-rows.sum(axis=1), kind="stable")]
    kept: list[Array] = []
    while len(rows):
        kept.append(rows[0])
        rows = rows[(rows > rows[0]).any(axis=1)]
    return np.array(kept)
