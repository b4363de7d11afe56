"""``memplanner history``: what it lists, and what it says to a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memplanner.history import History, default_path
from tests.history.records import CARD, figures, run
from tests.terminal import assert_one_sentence, memplanner, started


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return default_path()


def test_it_says_how_runs_get_there(file: Path) -> None:
    result = memplanner("history")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("No runs are kept yet")
    assert memplanner("history", "--json").stdout == "[]\n"
    assert not file.exists()


def test_runs_are_listed_with_the_median_of_each_device(file: Path) -> None:
    other = CARD.model_copy(update={"name": "NVIDIA A10"})
    with History(file) as history:
        for day, measured in enumerate((200, 210, 190), start=1):
            history.add_run(run(f"2026-01-0{day}T12:00:00+00:00", measured=figures(100, measured)))
        history.add_run(run("2026-01-09T12:00:00+00:00", device=other, card="card b"))
    result = memplanner("history", "--limit", "2")
    titles, first, second, *told = result.stdout.splitlines()
    assert titles.split() == ["When", "Model", "Plan", "Device", "Predicted", "Measured", "Error",
                              "Est.", "step", "Step"]  # fmt: skip
    assert "NVIDIA A10" in first
    assert "−4.8 %" in first
    assert "+5.3 %" in second
    assert told == [
        "NVIDIA A10: error 4.8 % in 1 run",
        "NVIDIA L4: median error 4.8 %, worst 5.3 % in 3 runs",
        "2 older not listed; --limit lists more.",
    ]
    values = json.loads(memplanner("history", "--json").stdout)
    assert [round(one["error"], 3) for one in values] == [-0.048, 0.053, -0.048, 0.0]


def test_those_of_one_device(file: Path) -> None:
    with History(file) as history:
        history.add_run(run())
    assert memplanner("history", "--device", "cpu").stdout.startswith("No runs are kept")


def test_mistakes_are_one_sentence(file: Path) -> None:
    ended = started("history", "--device", "no such card")
    assert_one_sentence(ended.returncode, ended.stdout, ended.stderr, "no such card")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 1000)
    ended = started("history")
    assert_one_sentence(ended.returncode, ended.stdout, ended.stderr, str(file), "damaged")
