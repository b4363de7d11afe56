"""The quality report in the terminal: as tables, and whole in the JSON."""

from __future__ import annotations

import json
from io import StringIO

import pytest

from memplanner.cli.quality import LARGEST, change, figure
from memplanner.cli.words import RunPrinter
from memplanner.messages.run import RunResult
from memplanner.run.request import read_event
from tests.ui import sample


def printed(result: RunResult, *, as_json: bool = False) -> str:
    stream = StringIO()
    RunPrinter(stream, as_json=as_json).event(result)
    return stream.getvalue()


@pytest.fixture
def result() -> RunResult:
    return sample.run_result().model_copy(update={"quality": sample.quality(), "saved": "small"})


def test_before_stands_beside_after(result: RunResult) -> None:
    lines = [" ".join(line.split()) for line in printed(result).splitlines()]
    assert "perplexity 24.35 26.41 +8.5%" in lines
    assert "in memory 513 MiB 160 MiB −68.8%" in lines
    assert "tokens per second, forward 1 234 – –" in [line.replace("\u2009", " ") for line in lines]
    assert any(line.startswith("Saved in small; memplanner.load_compressed") for line in lines)


def test_the_largest_errors_come_first(result: RunResult) -> None:
    shown = printed(result)
    assert shown.index("model.layers.1.mlp.down_proj") < shown.index("model.layers.0.mlp.down_proj")
    report = sample.quality()
    many = report.model_copy(update={"layers": report.layers * LARGEST})
    shown = printed(result.model_copy(update={"quality": many}))
    assert f"the largest {LARGEST} of {2 * LARGEST}" in shown
    assert shown.count("mlp.down_proj") == LARGEST


def test_what_is_not_known_is_left_out(result: RunResult) -> None:
    report = sample.quality()
    sides = {
        name: getattr(report, name).model_copy(update={"perplexity": None})
        for name in ("before", "after")
    }
    shown = printed(result.model_copy(update={"quality": report.model_copy(update=sides)}))
    assert "perplexity" not in shown
    assert "mean loss" in shown


def test_the_json_carries_all_of_it(result: RunResult) -> None:
    text = printed(result, as_json=True)
    values = json.loads(text)
    assert values["quality"]["before"]["perplexity"] == 24.35
    assert [row["output_error"] for row in values["quality"]["layers"]] == [0.04, 0.083]
    assert read_event.validate_json(text) == result


def test_figures_are_short() -> None:
    assert [figure(value).replace("\u2009", " ") for value in (None, 24.351, 1234.4, 3.2e7)] == [
        "–", "24.35", "1 234", "3.2e+07",
    ]  # fmt: skip
    assert [change(*pair) for pair in ((2.0, 1.0), (None, 1.0), (1.0, 1.0))] == [
        "−50.0%", "–", "+0.0%",
    ]  # fmt: skip
