"""A peak by the few moments that can be highest is the whole curve's, at every point."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from memplanner.estimate.fold import unfold
from memplanner.estimate.folded import FoldedStep
from memplanner.estimate.forms import FORMS, Forms
from memplanner.estimate.peak_forms import PeakForms, undominated
from memplanner.estimate.periods import KEPT, Cut
from memplanner.tape.tape import Array
from tests.estimate.periodic_tapes import Step, steps

POINTS = [(1, 1), (3, 1), (1, 40), (2, 33), (5, 8)]


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(KEPT, 9), st.randoms(use_true_random=False))
def test_it_is_the_highest_of_the_unfolded_curve(step: Step, periods: int, chance: Random) -> None:
    recorded = step.tape(KEPT)
    cut = Cut("blocks", step.before, step.period, periods)
    folded, whole = FoldedStep.of(recorded, (cut,)), unfold(recorded, cut)
    assert folded is not None
    assert whole is not None
    # what is alike in all blocks grows alike: a form for each size, module apart
    by_size = {size: chance.randrange(len(FORMS)) for size in sorted(set(recorded.size_bytes))}
    form = np.array([by_size[size] for size in recorded.size_bytes])
    forms = Forms(form, recorded.size_bytes)
    peaks = PeakForms.of(folded, forms).peaks_bytes(POINTS)
    signs, storages = np.sign(whole.events), np.abs(whole.events) - 1
    for point, peak in zip(POINTS, peaks.tolist(), strict=True):
        sizes = forms.sizes_bytes(*point)[whole.source]
        assert peak == np.cumsum(signs * sizes[storages]).max(initial=0)


@given(
    arrays.arrays(
        np.int64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(-5, 5)
    )
)
def test_what_is_left_out_is_nowhere_higher(rows: Array) -> None:
    kept = undominated(rows)
    assert {tuple(row) for row in kept.tolist()} <= {tuple(row) for row in rows.tolist()}
    for row in rows:
        assert (kept >= row).all(axis=1).any()
    for place, row in enumerate(kept):
        others = np.delete(kept, place, axis=0)
        assert not (others >= row).all(axis=1).any()


@given(st.integers(1, 64), st.integers(1, 4096))
def test_forms_at_many_points_are_those_at_each(batch_size: int, sequence_length: int) -> None:
    points = np.array([[batch_size, sequence_length], [1, 1]]).T
    for form in FORMS:
        assert form.values(*points).tolist() == [form.value(batch_size, sequence_length),
                                                 form.value(1, 1)]  # fmt: skip
