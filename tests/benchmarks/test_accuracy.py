from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import memplanner
from benchmarks.accuracy import chosen
from benchmarks.reference.document import document, percent, size, summaries
from benchmarks.reference.outcome import Outcome, figure, predict, summarize
from benchmarks.reference.rows import ROWS, Row, RowsError, read_rows
from memplanner.messages.estimate import Categories, Peak

REFERENCE = read_rows()
DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"
ROW = Row(
    id="X0", source="torchtitan", model="gpt2", conditions="bf16", measured="2", unit="GB",
    metric="reserved", complete=True, load="preset:gpt2", device="A100",
)  # fmt: skip


def outcome(predicted: float | None, high: float | None = None, **changes: object) -> Outcome:
    """Of a row with 2 GB measured; sizes in GB."""
    row = ROW.model_copy(update=changes)
    sizes = (None if one is None else round(one * 1e9) for one in (predicted, high))
    return Outcome(row, *sizes)


def test_every_row_is_predicted_or_says_what_is_missing() -> None:
    assert len(REFERENCE.rows) == 44
    for row in REFERENCE.rows:
        assert bool(row.load) != bool(row.not_yet), row.id
    assert {row.id for row in REFERENCE.not_yet} == {"R045", "R099"}


@pytest.mark.parametrize("row", REFERENCE.predicted, ids=lambda row: row.id)
def test_a_predicted_row_has_a_plan_and_a_size(row: Row) -> None:
    plan = row.as_plan()

    if row.otherwise is not None:
        plan.with_values(row.otherwise.changes)
    ends = [float(end) for end in row.measured.split("–")]
    assert row.measured_bytes == pytest.approx(
        (ends[0] + ends[-1]) / 2 * (10**9 if row.unit == "GB" else 2**30), abs=1
    )
    if row.source == "litgpt":
        stated = re.search(r"(\d) × (\d+)$", row.conditions)
        assert stated is not None
        sizes = (plan.training.batch_size, plan.training.sequence_length)
        assert sizes == (int(stated[1]), int(stated[2]))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("    not_yet: ", "    reading: "), "R045 needs either load or not_yet"),
        (("source: torchtitan", "source: hearsay"), "R001 names the source hearsay"),
        (("id: R003", "id: R001"), "R001 is there twice"),
        (("metric: reserved", "metric: resident"), "metric"),
        (("unit: GiB", "units: GiB"), "units"),
        (("sources:", "sources: ]"), "rows.yaml"),
    ],
)
def test_a_mistake_in_the_rows_is_named(
    change: tuple[str, str], named: str, tmp_path: Path
) -> None:
    text = ROWS.read_text(encoding="utf-8")
    file = tmp_path / "rows.yaml"
    file.write_text(text.replace(*change, 1), encoding="utf-8")

    with pytest.raises(RowsError, match=named):
        read_rows(file)


def test_a_missing_file_of_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match=r"none\.yaml"):
        read_rows(tmp_path / "none.yaml")


def test_only_predicted_rows_can_be_chosen() -> None:
    assert [row.id for row in chosen(REFERENCE, ["R047", "R046"])] == ["R047", "R046"]
    assert chosen(REFERENCE, None) == REFERENCE.predicted
    with pytest.raises(RowsError, match="R999 is no row"):
        chosen(REFERENCE, ["R999"])
    with pytest.raises(RowsError, match="R045 is not predicted yet: the peak is made"):
        chosen(REFERENCE, ["R045"])


def test_the_figure_is_the_one_that_was_published() -> None:
    peak = Peak(allocated_bytes=1, reserved_bytes=2, device_bytes=None, phase="backward",
                module="", by_category=Categories())  # fmt: skip

    def of(metric: str) -> int | None:
        return figure(ROW.model_copy(update={"metric": metric}), peak)

    assert (of("allocated"), of("reserved"), of("device")) == (1, 2, None)


def test_errors_are_signed_shares_of_what_was_measured() -> None:
    assert outcome(1.9).error == pytest.approx(-0.05)
    assert outcome(2.1, 2.0).is_covered
    assert outcome(2.1, 1.99).is_covered is False
    assert outcome(None).error is None
    assert outcome(None).is_covered is None


def test_a_summary_counts_what_is_predicted() -> None:
    found = summarize("some", [outcome(1.9, 2.5), outcome(2.2, 1.0), outcome(2.02), outcome(None)])

    assert found.rows == 3
    assert found.median_error == pytest.approx(0.05)
    assert found.largest_error == pytest.approx(0.1)
    assert found.covered == 0.5
    assert summarize("none", []) == ("none", 0, None, None, None)


def test_only_complete_rows_count_at_the_top() -> None:
    made = summaries(REFERENCE, [outcome(2.0), outcome(1.0, complete=False)])
    named = {one.name: one for one in made}

    assert named["All complete rows"].median_error == 0
    assert named["All rows that are predicted"].median_error == pytest.approx(0.25)
    assert named["torchtitan, benchmarks *"].rows == 2


def test_sizes_are_shown_in_the_row_s_own_unit() -> None:
    assert size(ROW, 1_234_000_000) == "1.23 GB"
    assert size(ROW.model_copy(update={"unit": "GiB"}), 3 * 2**29) == "1.50 GiB"
    assert size(ROW, None) == "–"
    assert [percent(one) for one in (-0.034, 0.0004, 0.12, None)] == [
        "−3.4 %", "0.0 %", "+12.0 %", "–",
    ]  # fmt: skip


def test_the_document_names_every_row_and_every_cause() -> None:
    text = document(
        REFERENCE,
        [
            outcome(2.0, 3.0, id="X1"),
            outcome(1.8, 1.9, id="X2", complete=False),
            outcome(2.2, id="X3", cause="Shown elsewhere."),
        ],
    )

    for row in REFERENCE.not_yet:
        assert f"| {row.id} |" in text
    assert "| X1 |" in text
    assert "- X1" not in text
    assert "| X2 * |" in text
    assert "- X2: The error is unexplained." in text
    assert "1.90 GB, below" in text
    assert "- X3: Shown elsewhere." in text
    columns = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(columns) == {6, 7, 10}


def test_the_published_document_has_every_row() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    for row in REFERENCE.rows:
        assert f"| {row.id}{'' if row.complete or row.not_yet else ' *'} |" in text
    assert "pytest tests/truth" in text


@pytest.mark.parametrize(
    ("name", "published"),
    [("phi_1_5", 1572864), ("stablelm_3b_nf4", 2097152), ("llama_2_7b_nf4_dq", 4194304)],
)
def test_litgpt_trains_as_many_parameters_as_published(name: str, published: int) -> None:
    from benchmarks.reference.models import litgpt

    with torch.device("meta"):
        module = getattr(litgpt, name)()

    assert sum(one.numel() for one in module.parameters() if one.requires_grad) == published


@pytest.mark.parametrize("id_", ["R046", "R053", "R059", "R112"])
def test_a_published_peak_is_predicted_within_three_percent(id_: str) -> None:
    (row,) = chosen(REFERENCE, [id_])

    found = predict(row)

    assert found.error is not None
    assert abs(found.error) < 0.03
    assert found.is_covered


def test_four_bits_are_as_small_as_published() -> None:
    """The source's table of inference gives the weights of StableLM Alpha 3B in NF4 as 3.20 GB,
    of which some 0.8 GB are embeddings, a cache and activations; double quantization saves 0.16.
    """
    from benchmarks.reference.models.litgpt import INPUTS

    sizes = []
    for name in ("stablelm_3b_nf4", "stablelm_3b_nf4_dq"):
        model = memplanner.load(f"benchmarks.reference.models.litgpt:{name}", inputs=INPUTS)
        plan = memplanner.Plan(precision="bf16")
        sizes.append(memplanner.estimate(model, plan, "A100 40GB").peak.by_category.parameters)

    assert 2.2e9 < sizes[0] < 3.2e9
    assert sizes[0] - sizes[1] == pytest.approx(0.16e9, rel=0.05)
