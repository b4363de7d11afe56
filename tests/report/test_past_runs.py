"""Past runs in words: errors, medians, and what a plan is."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.messages.history import KeptRun
from memplanner.plan import Plan
from memplanner.report import past_runs
from tests.history.records import run


def kept(error: float | None, **changed: Any) -> KeptRun:
    record = run(**changed)
    fields = {name: getattr(record, name) for name in type(record).model_fields}
    return KeptRun(id=1, error=error, **fields)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_median_and_worst_are_of_sizes_whatever_the_sign(errors: list[float]) -> None:
    told = past_runs.accuracy([kept(error) for error in errors])
    assert told is not None
    assert told.median == median(map(abs, errors))
    assert told.worst == max(map(abs, errors))
    assert past_runs.accuracy([kept(-error) for error in errors]) == told


def test_what_was_cut_short_counts_in_no_median() -> None:
    runs = [kept(0.01), kept(-0.03), kept(0.5, outcome="out_of_memory"), kept(None)]
    told = past_runs.accuracy(runs)
    assert told is not None
    assert (told.runs, told.median, told.worst) == (2, 0.02, 0.03)
    assert past_runs.told(runs) == "median error 2.0 %, worst 3.0 % in 2 runs; 1 run cut short"
    assert past_runs.accuracy(runs[2:]) is None
    assert past_runs.told(runs[2:3]) == "1 run cut short"
    assert past_runs.told(runs[:1]) == "error 1.0 % in 1 run"
    assert past_runs.told(()) == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [(0.0123, "+1.2 %"), (-0.004, "−0.4 %"), (0.0004, "0.0 %"), (-0.0004, "0.0 %"), (None, "–")],
)
def test_an_error_has_a_sign_unless_it_rounds_to_nothing(error: float | None, words: str) -> None:
    assert past_runs.error_words(error) == words


def test_an_error_is_large_from_three_per_cent_on_either_side() -> None:
    large = [past_runs.is_large(kept(error)) for error in (0.03, -0.03, 0.0299, 0.0, None)]
    assert large == [True, True, False, False, False]
    assert not past_runs.is_large(kept(0.5, outcome="failed"))


def test_a_plan_is_said_by_its_batch_then_what_it_changes() -> None:
    plan = Plan().with_values(
        {"training.batch_size": 2, "training.sequence_length": 512, "adapters.method": "lora",
         "training.gradient_accumulation_steps": 4, "precision": "fp32"}
    )  # fmt: skip
    assert past_runs.plan_words(plan) == "2 × 512, accumulate 4, LoRA, fp32, AdamW"


def test_a_row_has_a_cell_for_each_title_and_says_how_a_run_ended() -> None:
    row = past_runs.row(kept(0.02, outcome="failed"))
    assert len(row) == len(past_runs.TITLES)
    assert row[past_runs.TITLES.index("Plan")].endswith("(failed)")
    assert row[past_runs.TITLES.index("Step")] == "–"
    timed = past_runs.row(kept(0.02, step_seconds=0.48, estimated_seconds=0.41))
    assert timed[-2:] == ("410 ms", "480 ms")
