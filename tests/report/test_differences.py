"""Plans side by side: differences that add up, and tables that say what they mean."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.plan import Plan
from memplanner.report import differences, text, words
from memplanner.report.differences import Compared
from memplanner.report.settings import changed, differing
from tests.report.estimates import PLAN, estimate, time

LORA = PLAN.with_values({"adapters.method": "lora"})
FULL = PLAN.with_values({"activation_checkpointing.policy": "full"})
REFUSED = Compared("refused", None, "It cannot be; choose adapters.method=lora.")


def plans(*scales: int) -> tuple[Compared, ...]:
    return tuple(Compared(f"plan {scale}", estimate(scale)) for scale in scales)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.data())
def test_parts_add_up_to_the_peak_and_differences_to_its_difference(
    scales: list[int], data: st.DataObject
) -> None:
    made = plans(*scales)
    baseline = data.draw(st.integers(0, len(made) - 1))
    *parts, peak = differences.by_category(made)
    assert peak.strong
    for place in range(len(made)):
        assert sum(row.sizes[place] or 0 for row in parts) == peak.sizes[place]
        told = [row.difference(place, baseline) for row in parts]
        assert sum(one or 0 for one in told) == peak.difference(place, baseline)


@given(st.integers(0, 20), st.integers(0, 20))
def test_modules_that_differ_add_up_to_what_is_allocated_more(first: int, second: int) -> None:
    made = plans(first, second)
    rows = differences.by_layer(made)
    found = [row.difference(1, 0) or 0 for row in rows]
    one, other = (plan.estimate for plan in made)
    assert one is not None
    assert other is not None
    assert sum(found) == other.peak.allocated_bytes - one.peak.allocated_bytes
    assert found == sorted(found, key=abs, reverse=True)
    assert all(found)


def test_alike_modules_are_one_row_and_the_largest_difference_comes_first() -> None:
    base, more = estimate(1), estimate(2)
    head = more.layers[-1].model_copy(update={"temporaries_bytes": 17})
    more = more.model_copy(update={"layers": (*more.layers[:-1], head)})
    rows = differences.by_layer((Compared("a", base), Compared("b", more)))
    assert [row.title for row in rows] == ["model.layers.*.mlp, 3 alike", "head"]
    assert rows[0].difference_words(1, 0) == "+3.0 GiB"
    assert rows[1].difference_words(1, 0) == "+17 B"


def test_a_layer_inside_an_adapter_is_the_one_it_replaces() -> None:
    base = estimate(1)
    wrapped = tuple(
        row.model_copy(update={"name": f"{row.name}.base_layer"}) if row.name == "head" else row
        for row in base.layers
    )
    other = base.model_copy(update={"layers": wrapped})
    assert differences.by_layer((Compared("a", base), Compared("b", other))) == ()


def test_a_plan_without_an_estimate_has_dashes_and_its_sentence() -> None:
    rows = differences.table((*plans(1), REFUSED))
    by_title = {row[0]: row[1:] for row in rows}
    assert by_title["Peak"][1:] == ["–", ""]
    assert by_title["Verdict"][1] == REFUSED.sentence


def test_every_plan_may_be_without_an_estimate() -> None:
    rows = differences.table((REFUSED, REFUSED))
    assert {len(row) for row in rows} == {4}
    assert differences.by_layer((REFUSED, REFUSED)) == ()


@pytest.mark.parametrize("baseline", [0, 1, 2])
def test_each_plan_but_the_baseline_has_a_column_of_differences(baseline: int) -> None:
    made = (*plans(1, 2), REFUSED)
    for layers in (False, True):
        rows = differences.table(made, baseline, layers=layers)
        assert {len(row) for row in rows} == {1 + 3 + 2}
        against = [title for title in rows[0] if "against" in title]
        assert against == [
            f"{differences.letter(place)} against {differences.letter(baseline)}"
            for place in range(3)
            if place != baseline
        ]


def test_time_is_compared_by_token() -> None:
    fast, slow = time(1.0, 100), time(3.0, 200)
    assert words.slower(slow, fast) == "+50 %"
    assert words.slower(fast, slow) == "−33 %"
    assert words.slower(fast, fast) == "same"
    made = [estimate().model_copy(update={"time": one}) for one in (fast, slow)]
    row = differences.step_times([Compared(str(one.time), one) for one in made])
    assert row is not None
    assert (row.against, row.by) == (("same", "+50 %"), " a token")
    use = PLAN.with_values({"inference.use": "generation"})
    used = estimate(plan=use, seconds=9.0)
    row = differences.step_times((Compared("trained", made[0]), Compared("used", used)))
    assert row is not None
    assert row.against == ("same", "")
    samples = fast.model_copy(update={"unit": "samples"})
    assert words.slower(samples, fast) == ""


def test_settings_that_differ_are_named_and_those_without_effect_left_out() -> None:
    rows = {row.key: row for row in differing([PLAN, LORA, FULL])}
    assert set(rows) == {"adapters.method", "activation_checkpointing.policy"}
    assert rows["adapters.method"].values[1] == "LoRA"
    assert rows["adapters.method"].same_as_first == (True, False, True)
    other_rank = LORA.with_values({"adapters.rank": 7})
    (rank,) = differing([LORA, other_rank])
    assert rank.values[1] == "7"
    without = PLAN.with_values({"adapters.rank": 7})
    assert differing([PLAN, without]) == ()


def test_what_a_plan_changes_is_told_with_its_batch() -> None:
    keys = {row.key for row in changed(LORA)}
    assert "adapters.method" in keys
    assert "training.batch_size" in keys
    assert "pruning.method" not in keys


def test_every_key_of_a_plan_has_a_title_of_its_own() -> None:
    plain = Plan()
    titles = [row.title for row in changed(plain)]
    assert len(titles) == len(set(titles))


cells = st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), min_size=2, max_size=5)


@given(cells)
def test_csv_is_read_back_but_for_formulas(rows: list[list[str]]) -> None:
    back = list(csv.reader(io.StringIO(text.comma_separated(rows), newline="")))
    expected = [[text.harmless(cell) for cell in row] for row in rows]
    assert back == expected


@given(cells)
def test_a_markdown_table_has_a_line_a_row_and_the_same_cells(rows: list[list[str]]) -> None:
    lines = text.markdown(rows).split("\n")
    assert len(lines) == len(rows) + 1
    for line in lines:
        assert line.replace("\\\\", "").replace("\\|", "").count("|") == 4


def test_signed_sizes_stay_as_they_are_in_csv() -> None:
    assert (
        text.comma_separated([["−1.2 GiB", "+3.0 GiB", "-x", "+x"]])
        == "−1.2 GiB,+3.0 GiB,'-x,'+x\r\n"
    )


def test_the_verdict_is_the_difference_of_the_two_numbers_beside_it() -> None:
    made = estimate(1)
    assert words.verdict(made) == "Fits, 61.6 GiB to spare"
    assert words.peak(made) == "Peak 18.4 GiB of 80.0 GiB, likely 17.4 to 19.4 GiB"
    too_large = estimate(40)
    missing = words.verdict(too_large).removeprefix("Does not fit: ").removesuffix(" GiB missing")
    peak = words.peak(too_large).removeprefix("Peak ").partition(" GiB")[0]
    assert float(missing) == pytest.approx(float(peak) - 80.0)
    risky = made.model_copy(update={"verdict": "at_risk"})
    assert words.verdict(risky) == "May not fit: only by giving cached memory back"
    unknown = made.device.model_copy(update={"memory_bytes": None})
    lost = made.model_copy(update={"device": unknown, "spare_bytes": None, "verdict": None})
    assert words.verdict(lost).endswith("memory of H100 80GB not known")
