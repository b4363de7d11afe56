"""Laws of stretches: they compose, repeat in closed form, and agree with the whole curve."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from memplanner.estimate.algebra import Stretch, product
from memplanner.estimate.folded import FoldedStep
from memplanner.estimate.forms import Forms
from memplanner.estimate.periods import KEPT, Cut
from memplanner.messages.estimate import CATEGORIES
from memplanner.tape.tape import Array, Tape
from tests.estimate.periodic_tapes import Step, steps

POINTS = 2


def changes(rows: int) -> st.SearchStrategy[Array]:
    """Up to six events in some rows at two points; one row changes at each event."""
    return arrays.arrays(
        np.int64, st.integers(1, 6).map(lambda events: (rows, events, POINTS)),
        elements=st.integers(-9, 9),
    )  # fmt: skip


def equal(one: Stretch, other: Stretch) -> bool:
    return np.array_equal(one.net_bytes, other.net_bytes) and np.array_equal(
        one.highest_bytes, other.highest_bytes
    )


@given(changes(1), changes(1), changes(1))
def test_composition_is_associative(one: Array, two: Array, three: Array) -> None:
    a, b, c = Stretch.of(one), Stretch.of(two), Stretch.of(three)
    assert equal((a * b) * c, a * (b * c))


@given(changes(3), changes(3), changes(3))
def test_it_is_with_categories_too(one: Array, two: Array, three: Array) -> None:
    a, b, c = Stretch.of(one), Stretch.of(two), Stretch.of(three)
    assert equal((a * b) * c, a * (b * c))


@given(changes(3), changes(3))
def test_a_composition_is_the_stretch_of_all_events(one: Array, two: Array) -> None:
    assert equal(Stretch.of(one) * Stretch.of(two), Stretch.of(np.concatenate([one, two], axis=1)))


@given(changes(3))
def test_nothing_before_or_after_changes_nothing(events: Array) -> None:
    stretch, nothing = Stretch.of(events), Stretch.empty(3, POINTS)
    assert equal(nothing * stretch, stretch)
    assert equal(stretch * nothing, stretch)


@given(changes(3), st.integers(0, 7))
def test_repetition_has_a_closed_form(events: Array, times: int) -> None:
    stretch = Stretch.of(events)
    assert equal(stretch.repeated(times), product([stretch] * times, 3, POINTS))


@given(changes(1))
def test_without_categories_the_height_is_the_same(events: Array) -> None:
    split = np.concatenate([np.maximum(events, 0), np.minimum(events, 0)])
    assert np.array_equal(
        Stretch.of(events).highest_bytes[0], Stretch.of(split).highest_bytes.sum(axis=0)
    )


def as_forms(tape: Tape) -> Forms:
    """Every storage grows with batch × sequence."""
    return Forms(np.full(len(tape.size_bytes), 3), tape.size_bytes)


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(KEPT, 9), st.integers(1, 4), st.integers(1, 5))
def test_a_folded_step_peaks_as_the_longer_program(
    step: Step, periods: int, batch_size: int, sequence_length: int
) -> None:
    recorded, whole = step.tape(KEPT), step.tape(periods)
    folded = FoldedStep.of(recorded, (Cut("blocks", step.before, step.period, periods),))
    assert folded is not None
    forms, points = as_forms(recorded), [(1, 1), (batch_size, sequence_length)]
    factors = np.array([1, batch_size * sequence_length])
    table = forms.table_bytes(points)
    peaks = folded.stretches(table, (), by_category=False)[0].highest_bytes[0]
    assert np.array_equal(peaks, whole.curve_bytes.max() * factors)
    alive = whole.events[: int(whole.curve_bytes.argmax()) + 1]
    storages = np.abs(alive) - 1
    sums = np.bincount(
        whole.category[storages],
        weights=np.sign(alive) * whole.size_bytes[storages],
        minlength=len(CATEGORIES),
    )
    categories = folded.stretches(table, (), by_category=True)[0].highest_bytes
    assert np.array_equal(categories, np.outer(sums, factors))
