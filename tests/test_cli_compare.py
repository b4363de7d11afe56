"""``compare`` and ``report``: what they print and write, and what they say to a mistake."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from memplanner.units import format_bytes
from tests.terminal import LOUD, assert_one_sentence, estimated, memplanner, silent

SMALL = "training: {batch_size: 1, sequence_length: 8}\nprecision: fp32\n"
LARGE = "training: {batch_size: 4, sequence_length: 8}\nprecision: fp32\n"
IMPOSSIBLE = SMALL + "optimizer: {implementation: bitsandbytes_paged_8bit}\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.py"
    path.write_text(silent(LOUD))
    return path


def plan(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.plan.yaml"
    path.write_text(text)
    return path


def test_plans_stand_side_by_side_with_the_bytes_of_each_alone(model: Path, tmp_path: Path) -> None:
    files = plan(tmp_path, "small", SMALL), plan(tmp_path, "large", LARGE)
    result = memplanner("compare", model, *files, "--device", "cpu", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert [one["name"] for one in told] == ["small", "large"]
    for one, file in zip(told, files, strict=True):
        alone = estimated(model, "--plan", file, "--device", "cpu")
        assert one["estimate"]["peak"] == alone["peak"]
        assert one["estimate"]["layers"] == alone["layers"]


def test_the_table_names_plans_differences_and_settings(model: Path, tmp_path: Path) -> None:
    files = plan(tmp_path, "small", SMALL), plan(tmp_path, "large", LARGE)
    shown = memplanner("compare", model, *files, "--device", "cpu", "--layers").stdout
    titles, *lines = shown.splitlines()
    assert titles.split("  ")[0] == "Bytes at the peak"
    assert titles.endswith(("A small              B large  B against A", "B against A"))
    start = {line.split("  ")[0]: line for line in lines}
    assert "+" in start["Activations"]
    assert start["Parameters"].rstrip().endswith("same")
    assert start["Micro-batch"].split()[-2:] == ["1", "4"]
    assert "table" in start
    assert "head" in start


def test_a_plan_that_cannot_be_carried_out_is_told_beside_one_that_can(
    model: Path, tmp_path: Path
) -> None:
    files = plan(tmp_path, "small", SMALL), plan(tmp_path, "never", IMPOSSIBLE)
    result = memplanner("compare", model, *files, "--device", "cpu")
    assert result.exit_code == 0
    assert "\nB never: optimizer.implementation=" in result.stdout
    alone = memplanner("compare", model, files[1], "--device", "cpu")
    assert alone.exit_code == 1
    assert "\nA never: optimizer.implementation=" in alone.stdout


def test_a_plan_that_is_no_plan_is_one_sentence(model: Path, tmp_path: Path) -> None:
    wrong = plan(tmp_path, "wrong", "training: {batch: 1}\n")
    result = memplanner("compare", model, wrong, "--device", "cpu")
    assert_one_sentence(result.exit_code, result.stdout, result.stderr, "wrong.plan.yaml")


def test_the_report_has_the_estimate_the_other_plan_and_the_run(
    model: Path, tmp_path: Path
) -> None:
    small, large = plan(tmp_path, "small", SMALL), plan(tmp_path, "large", LARGE)
    ran = memplanner("apply", model, "--plan", small, "--device", "cpu", "--steps", "2", "--json")
    assert ran.exit_code == 0
    run = tmp_path / "run.json"
    run.write_text(ran.stdout)
    page, table = tmp_path / "report.html", tmp_path / "layers.csv"
    arguments = ("--plan", small, "--device", "cpu", "--compare", large, "--run", run)
    result = memplanner("report", model, *arguments, "--output", page, "--csv", table)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"Wrote {page}\nWrote {table}\n"
    text = page.read_text("utf-8")
    alone = estimated(model, "--plan", small, "--device", "cpu")
    for expected in (
        "A small",
        "B large",
        "Predicted against measured",
        json.loads(ran.stdout.splitlines()[-1])["sentence"],
        format_bytes(alone["peak"]["allocated_bytes"]),
        alone["method"],
    ):
        assert expected in text
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["total_bytes"]) for row in rows) == alone["peak"]["allocated_bytes"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "does not end in a run"), ("{}", "does not end in a run"), (None, "cannot be read")],
)
def test_a_run_that_is_none_is_one_sentence(
    model: Path, tmp_path: Path, text: str | None, words: str
) -> None:
    run = tmp_path / "run.json"
    if text is not None:
        run.write_text(text)
    output = tmp_path / "report.html"
    result = memplanner("report", model, "--device=cpu", "--run", run, "--output", output)
    assert_one_sentence(result.exit_code, result.stdout, result.stderr, str(run), words)
    assert not output.exists()


def test_a_report_to_nowhere_is_one_sentence(model: Path, tmp_path: Path) -> None:
    result = memplanner("report", model, "--device=cpu")
    assert_one_sentence(result.exit_code, result.stdout, result.stderr, "--output")
    missing = tmp_path / "missing" / "report.html"
    result = memplanner("report", model, "--device=cpu", "--output", missing)
    assert_one_sentence(result.exit_code, result.stdout, result.stderr, str(missing))
