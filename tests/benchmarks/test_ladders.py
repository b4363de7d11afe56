"""Published ladders: sign and size of each step."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reference.ladders import Climb, Ladder, Rung, Step, climb, part, read_ladders
from benchmarks.reference.rows import ROWS, RowsError, read_rows

REFERENCE = read_rows()
LADDERS = {ladder.name: ladder for ladder in read_ladders()}
GIB = 2**30
BARS = {"8-bit AdamW": 0.08}
"""How far a step's change may be off, as a part of the peak that it starts from; 0.02 for others.
Whose optimizer this one is was not published."""


def test_every_step_is_a_row_or_has_a_plan_or_says_why_not() -> None:
    ids = {row.id for row in REFERENCE.predicted}
    for ladder in LADDERS.values():
        for step, plan in ladder.plans():
            if step.row:
                assert step.row in ids
            else:
                assert (plan is None) == bool(step.not_yet)


@pytest.mark.slow
@pytest.mark.parametrize("name", LADDERS)
def test_a_step_changes_the_peak_as_it_was_measured(name: str) -> None:
    found = climb(LADDERS[name], REFERENCE)
    compared = 0
    last = 0
    for rung, predicted, measured in found.changes():
        if predicted is not None and measured is not None:
            compared += 1
            assert (predicted < 0) == (measured < 0), rung.step.name
            assert abs(predicted - measured) <= BARS.get(rung.step.name, 0.02) * last, (
                rung.step.name
            )
        if rung.predicted_bytes is not None and not rung.step.apart:
            last = rung.measured_bytes
        if rung.error is not None and abs(rung.error) > 0.03 and not rung.step.row:
            assert rung.step.cause, rung.step.name
    assert compared >= 1


def test_a_step_apart_is_left_out_by_the_next() -> None:
    steps = (
        Step(name="a", measured=4),
        Step(name="b", measured=3, apart=True, cause="Known."),
        Step(name="c", measured=2),
        Step(name="d", measured=1, not_yet="unknown"),
    )
    sizes = (4 * GIB, 2 * GIB, 2 * GIB, None)
    rungs = tuple(
        Rung(step, size, round(step.measured * GIB))
        for step, size in zip(steps, sizes, strict=True)
    )
    made = Climb(Ladder(name="L", steps=steps), rungs)

    assert [row[1:] for row in made.changes()] == [
        (None, None), (-2 * GIB, -GIB), (-2 * GIB, -2 * GIB), (None, None),
    ]  # fmt: skip
    text = part([made])
    assert "| b † | 2.00 GiB | 3.00 GiB | −2.00 GiB | −1.00 GiB |" in text
    assert "- b: Known." in text
    assert "- d: unknown" in text


def test_a_mistake_in_the_ladders_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ladders.yaml"
    file.write_text("ladders: [{name: one, steps: [{name: neither}]}]", encoding="utf-8")

    with pytest.raises(RowsError, match="neither needs either a row or what was measured"):
        read_ladders(file)


def test_the_published_document_has_every_step() -> None:
    text = (ROWS.parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")

    for ladder in LADDERS.values():
        assert f"### {ladder.name}" in text
        for step in ladder.steps:
            assert f"| {step.name}{' †' if step.apart else ''} |" in text
