"""The work of a step as a small table: at any batch and sequence, and any accumulation.

Kernels that are alike are one row: what a kernel does is a sum of forms (``forms.py``), and blocks,
micro-batches and the parts of an optimizer's lists repeat the same kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memplanner.estimate.forms import FORMS, Form, fitted
from memplanner.tape.collectives import Collective
from memplanner.tape.work import PHASES, Work

Amounts = npt.NDArray[np.float64]
Array = npt.NDArray[np.int64]
Point = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWork:
    """Kinds of kernels, shaped (rows,) and (rows, forms); see :class:`Work` for the columns."""

    phase: Array
    part: Array
    kind: Array
    precision: Array
    micro_batch: Array
    peers: Array
    collectives: tuple[Collective, ...]
    flops: Amounts
    moved_bytes: Amounts
    """Of each form: what it is multiplied with."""
    launches: Array
    """Of one kernel."""
    count: Array
    """Kernels of such a kind in what was recorded, blocks that were cut away included."""
    known: tuple[Form, ...]
    exact: bool
    """Whether every amount follows a form; else those that do not grow with their own power."""

    def __len__(self) -> int:
        return len(self.phase)

    def values(self, points: Sequence[Point]) -> Amounts:
        """The forms at some points, shaped (forms, points)."""
        batch, length = np.array(points, dtype=np.float64).reshape(-1, 2).T
        table = np.empty((len(self.known), len(points)))
        for row, form in zip(table, self.known, strict=True):
            row[:] = batch**form.batch_power * (length + form.offset) ** form.sequence_power
            if form.padded:
                row *= np.ceil(length / form.padded) * form.padded
        return table

    def times(self, accumulation: int, *, pipeline: bool = False, new_tokens: int = 0) -> Amounts:
        """How often a step of ``accumulation`` micro-batches runs each row's kernels.

        The last recorded micro-batch is the step's last; those that were not recorded are like
        the first, in a pipeline like the second (``traffic.py``). Of a generation each recorded
        token stands for those between it and its neighbours, as far as a straight line between
        them needs it.
        """
        if new_tokens:
            return self._tokens(new_tokens)
        last = int(self.micro_batch.max(initial=0))
        repeated = 1 if pipeline and last > 1 else 0
        of_many = np.isin(self.phase, _OF_MICRO_BATCHES) & (self.micro_batch == repeated)
        often = np.where(of_many, self.count * max(accumulation - last, 1), self.count)
        return often.astype(np.float64)

    def _tokens(self, new_tokens: int) -> Amounts:
        decodes = self.phase == PHASES.index("decode")
        recorded = np.unique(self.micro_batch[decodes])
        often = self.count.astype(np.float64)
        every = np.arange(new_tokens - 1)  # the prompt's forward writes the first
        for place, number in enumerate(recorded.tolist()):
            hat = np.zeros(len(recorded))
            hat[place] = 1.0
            rows = decodes & (self.micro_batch == number)
            often[rows] *= np.interp(every, recorded, hat).sum()
        return often


_OF_MICRO_BATCHES = (PHASES.index("forward"), PHASES.index("backward"))


def at_one_point(work: Work) -> StepWork:
    """The table of work that was recorded at the very point that is asked for."""
    constant = np.zeros(len(work), dtype=np.int64)
    return _table(
        work,
        constant,
        work.flops.astype(np.float64),
        np.zeros(len(work.amount_bytes), dtype=np.int64),
        work.amount_bytes.astype(np.float64),
        FORMS[:1],
        exact=True,
    )


def between(
    whole: Work,
    first: Work,
    first_point: Point,
    second: Work,
    second_point: Point,
    known: tuple[Form, ...],
) -> StepWork | None:
    """The table for any point, from two recordings; None where they are of other kernels.

    ``whole`` is the first recording's, with what each row stands for.
    """
    if not first.same_structure(second):
        return None
    flops_form, flops = _fit(first.flops, second.flops, first_point, second_point, known)
    form, amounts = _fit(first.amount_bytes, second.amount_bytes, first_point, second_point, known)
    exact = bool((flops_form >= 0).all() and (form >= 0).all())
    if not exact:
        points = first_point, second_point
        _to_nearest(first.flops, second.flops, *points, known, flops_form, flops)
        _to_nearest(first.amount_bytes, second.amount_bytes, *points, known, form, amounts)
    return _table(whole, flops_form, flops, form, amounts, known, exact=exact)


def _fit(
    before: Array, after: Array, first: Point, second: Point, known: tuple[Form, ...]
) -> tuple[Array, Amounts]:
    form, constant = fitted(before, after, first, second, known)
    return form, constant.astype(np.float64)


def _to_nearest(
    before: Array,
    after: Array,
    first: Point,
    second: Point,
    known: tuple[Form, ...],
    form: Array,
    constant: Amounts,
) -> None:
    """Gives amounts without a form the plain one whose growth is nearest to theirs, in place."""
    plain = np.array(
        [number for number, one in enumerate(known) if not one.offset and not one.padded]
    )
    values = np.array([[one.value(*first), one.value(*second)] for one in known], dtype=np.float64)
    growth = np.log(values[plain, 1] / values[plain, 0])
    missing = np.flatnonzero(form < 0)
    grown = np.log(np.maximum(after[missing], 1) / np.maximum(before[missing], 1))
    chosen = plain[np.abs(growth[None, :] - grown[:, None]).argmin(axis=1)]
    form[missing] = chosen
    constant[missing] = before[missing] / values[chosen, 0]


def _table(
    work: Work,
    flops_form: Array,
    flops: Amounts,
    form: Array,
    amounts: Amounts,
    known: tuple[Form, ...],
    *,
    exact: bool,
) -> StepWork:
    """Alike rows made one."""
    rows, forms = len(work), len(known)
    computed = np.zeros((rows, forms))
    computed[np.arange(rows), flops_form] = flops
    moved = np.zeros((rows, forms))
    np.add.at(moved, (work.amount_row, form), amounts)
    labels = np.stack(
        [work.phase, work.part, work.kind, work.precision, work.micro_batch, work.peers,
         work.launches], axis=1,
    )  # fmt: skip
    keys = np.concatenate([labels.astype(np.float64), computed, moved], axis=1)
    used = np.flatnonzero(computed.any(axis=0) | moved.any(axis=0))
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    count = np.bincount(
        place.reshape(-1), weights=work.count, minlength=len(unique)
    ).astype(np.int64)  # fmt: skip
    width = labels.shape[1]
    columns = unique[:, :width].astype(np.int64).T
    return StepWork(
        phase=columns[0],
        part=columns[1],
        kind=columns[2],
        precision=columns[3],
        micro_batch=columns[4],
        peers=columns[5],
        launches=columns[6],
        collectives=work.collectives,
        flops=unique[:, width : width + forms][:, used],
        moved_bytes=unique[:, width + forms :][:, used],
        count=count,
        known=tuple(known[number] for number in used.tolist()),
        exact=exact,
    )
