"""Past runs as they are listed: with their error, without their curves."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given

from memplanner.errors import HistoryError
from memplanner.history import History
from memplanner.history.kept import KeptRuns, kept_runs
from memplanner.messages.history import KeptRun
from memplanner.plan import Plan
from tests.history.records import figures, run
from tests.plan.plans import plans


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "history.sqlite3"
    curve = {"curve_bytes": (1, 2), "curve_phases": ("forward", "backward")}
    with History(path) as history:
        history.add_run(run("2026-01-01T00:00:00+00:00"))
        drawn = figures(100, 200).model_copy(update=curve)
        history.add_run(run("2026-01-03T00:00:00+00:00", measured=drawn, card="card b"))
        history.add_run(run("2026-01-02T00:00:00+00:00", outcome="out_of_memory"))
    return path


def test_there_is_nothing_before_there_is_a_history_and_none_is_made(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite3"
    assert kept_runs(path=path) == KeptRuns()
    assert not path.exists()


def test_runs_come_latest_first_with_their_error_and_number(file: Path) -> None:
    found = kept_runs(path=file)
    assert [one.at[:10] for one in found.runs] == ["2026-01-03", "2026-01-02", "2026-01-01"]
    assert [one.id for one in found.runs] == [2, 3, 1]
    assert found.runs[0].error == 0
    assert found.runs[2].error == (200 - 210) / 210
    assert [one.whole for one in found.runs] == [True, False, True]
    assert (found.total, found.unreadable) == (3, 0)


def test_curves_are_left_out_and_the_rest_is_as_it_was_kept(file: Path) -> None:
    with History(file) as history:
        records = history.runs()
    for one, record in zip(kept_runs(path=file).runs, records, strict=True):
        assert one.measured.curve_bytes == one.measured.curve_phases == ()
        assert one.measured.by_phase == record.measured.by_phase
        assert (one.plan, one.device, one.torch) == (record.plan, record.device, record.torch)


def test_those_of_one_card_and_only_so_many(file: Path) -> None:
    found = kept_runs("card a", path=file)
    assert ([one.id for one in found.runs], found.total) == ([3, 1], 2)
    found = kept_runs(limit=1, path=file)
    assert ([one.id for one in found.runs], found.total) == ([2], 3)


def test_what_makes_no_sense_is_counted(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE runs SET record = '{}' WHERE id = 1")
    connection.close()
    found = kept_runs(path=file)
    assert (len(found.runs), found.total, found.unreadable) == (2, 3, 1)


def test_a_damaged_history_is_told(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(HistoryError, match="is damaged"):
        kept_runs(path=path)


@given(plans())
def test_a_run_comes_back_with_its_whole_plan(plan: Plan) -> None:
    record = run(plan=plan)
    fields = {name: getattr(record, name) for name in type(record).model_fields}
    kept = KeptRun(id=1, error=0.1, **fields)
    assert KeptRun.model_validate_json(kept.model_dump_json(by_alias=True)) == kept
