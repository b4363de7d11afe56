from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memplanner.messages.estimate import CATEGORIES, Categories
from memplanner.messages.run import RunFigures
from memplanner.run.comparison import (
    Comparison,
    compare_categories,
    compare_phases,
    peak_error,
)

sizes = st.integers(min_value=0, max_value=2**50)
categories = st.builds(Categories, **dict.fromkeys(CATEGORIES, sizes))


def _figures(parts: Categories, **phases: int) -> RunFigures:
    return RunFigures(
        allocated_bytes=parts.total_bytes, phase="forward", by_category=parts, by_phase=phases
    )


@given(categories, categories)
def test_rows_add_up_to_the_difference_of_the_peaks(
    predicted: Categories, measured: Categories
) -> None:
    rows = compare_categories(_figures(predicted), _figures(measured))
    difference = predicted.total_bytes - measured.total_bytes
    assert sum(row.difference_bytes for row in rows) == difference
    assert all(row.predicted_bytes or row.measured_bytes for row in rows)
    order = [CATEGORIES.index(row.name) for row in rows]
    assert order == sorted(set(order))


def test_error_is_over_the_measured() -> None:
    assert Comparison("x", 110, 100).error == 0.1
    assert Comparison("x", 90, 100).error == -0.1
    assert Comparison("x", 110, 0).error is None
    nothing, some = _figures(Categories()), _figures(Categories(inputs=50))
    assert peak_error(some, nothing) is None
    assert peak_error(nothing, some) == -1


def test_only_phases_of_both_are_compared() -> None:
    predicted = _figures(Categories(), forward=10, load=5)
    measured = _figures(Categories(), forward=8, backward=20)
    assert compare_phases(predicted, measured) == (Comparison("forward", 10, 8),)
