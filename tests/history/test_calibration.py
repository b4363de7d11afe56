import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.history.calibration import BOUND, fit, ratios_of
from memplanner.messages.history import RunRecord
from tests.history.records import figures, run

sizes = st.integers(1, 10**12)
runs = st.builds(
    lambda forward, backward, seen_forward, seen_backward: run(
        predicted=figures(forward, backward), measured=figures(seen_forward, seen_backward)
    ),
    sizes, sizes, sizes, sizes,
)  # fmt: skip


def seen(*ratios: float) -> RunRecord:
    """A run whose phases showed these multiples of what was predicted."""
    phases = ("forward", "backward", "optimizer_step")[: len(ratios)]
    return run(
        predicted_reserved_by_phase=dict.fromkeys(phases, 1000),
        measured_reserved_by_phase={
            phase: round(1000 * ratio) for phase, ratio in zip(phases, ratios, strict=True)
        },
    )


def test_one_run_is_not_enough() -> None:
    assert fit([]) is None
    assert fit([seen(1.02, 1.03)]) is None
    assert fit([seen(1.02), run(predicted=figures(0, 0), measured=figures(0, 0))]) is None


def test_two_runs_that_agree_are_believed() -> None:
    found = fit([seen(1.02, 1.03, 1.04), seen(1.03, 1.03, 1.02)])
    assert found is not None
    assert found.factor == pytest.approx(1.03)
    assert (found.low, found.high) == (pytest.approx(1.02), pytest.approx(1.04))
    assert (found.runs, found.comparisons, found.bounded) == (2, 6, False)
    assert found.applied(1_000_000) == 1_030_000


def test_one_odd_phase_and_one_odd_run_move_it_little() -> None:
    good = [seen(1.02, 1.02, 9.0), seen(1.03, 1.03, 1.03), seen(1.01, 1.02, 1.03)]
    found = fit([*good, seen(5.0, 5.0, 5.0)])
    assert found is not None
    assert 1.01 <= found.factor <= 1.04
    assert not found.bounded
    assert found.high == pytest.approx(1 + BOUND), "the spread still shows it"


def test_what_asks_for_more_than_the_bound_is_held_and_told() -> None:
    over, under = fit([seen(1.5), seen(1.4)]), fit([seen(0.5), seen(0.6)])
    assert over is not None
    assert under is not None
    assert (over.factor, over.bounded) == (pytest.approx(1 + BOUND), True)
    assert (under.factor, under.bounded) == (pytest.approx(1 - BOUND), True)


@given(st.lists(runs, min_size=2, max_size=6))
def test_a_correction_is_bounded_and_does_not_depend_on_the_order(found: list[RunRecord]) -> None:
    correction = fit(found)
    assert correction is not None
    assert 1 - BOUND <= correction.low <= correction.factor <= correction.high <= 1 + BOUND
    assert fit(found[::-1]) == correction


@given(runs, st.integers(2, 5))
def test_a_perfect_prediction_is_left_alone(record: RunRecord, times: int) -> None:
    perfect = record.model_copy(update={"measured": record.predicted})
    correction = fit([perfect] * times)
    assert correction is not None
    assert correction.factor == 1.0
    assert not correction.bounded


def test_what_was_reserved_counts_before_what_was_allocated() -> None:
    whole = run(predicted=figures(100, 200, 400), measured=figures(100, 210, 420))
    assert ratios_of(whole) == [1.05]
    assert ratios_of(run()) == [1.0, 1.05]
    by_phase = whole.model_copy(
        update={
            "predicted_reserved_by_phase": {"forward": 100, "backward": 200},
            "measured_reserved_by_phase": {"forward": 101, "backward": 204, "load": 7},
        }
    )
    assert ratios_of(by_phase) == [1.01, 1.02]
