import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from memplanner.errors import HistoryError
from memplanner.history import History, default_path
from memplanner.history import schema as schema_module
from memplanner.history.backup import backup_path, keep_backup, restore_backup
from memplanner.messages.estimate import OverheadRow
from memplanner.messages.history import Correction
from tests.history.records import calibration, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite3"


def test_a_run_comes_back_as_it_was(path: Path) -> None:
    record = run(predicted_reserved_by_phase={"forward": 3})
    with History(path) as history:
        history.add_run(record)
    with History(path) as history:
        assert history.runs() == (record,)
        assert history.unreadable == 0


def test_runs_are_those_asked_for_the_latest_first(path: Path) -> None:
    with History(path) as history:
        for day, card, model in [(3, "a", "x"), (1, "a", "y"), (2, "b", "x"), (4, "a", "x")]:
            history.add_run(run(f"2026-01-0{day}T00:00:00+00:00", card=card, model=model))
        assert [one.at[9] for one in history.runs()] == ["4", "3", "2", "1"]
        assert [one.at[9] for one in history.runs(card="a")] == ["4", "3", "1"]
        assert [one.at[9] for one in history.runs(model="x")] == ["4", "3", "2"]
        assert [one.at[9] for one in history.runs(card="a", model="x", limit=1)] == ["4"]
        assert history.runs(card="c") == ()


def test_the_latest_calibration_of_a_card_counts(path: Path) -> None:
    row = OverheadRow(
        name="CUDA context", low_bytes=1, expected_bytes=1, high_bytes=1, source="measured"
    )
    factor = Correction(factor=1.02, low=1.0, high=1.05, runs=2, comparisons=6, bounded=False)
    newer = calibration("2026-02-01T00:00:00+00:00", overhead=(row,), correction=factor)
    with History(path) as history:
        assert history.calibration("card a") is None
        history.add_calibration(newer)
        history.add_calibration(calibration())
        history.add_calibration(calibration("2026-03-01T00:00:00+00:00", card="card b"))
        assert history.calibration("card a") == newer


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_only_the_owner_may_read_it(path: Path) -> None:
    with History(path) as history:
        history.add_run(run())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    History(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_lies_in_the_users_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path().name == "history.sqlite3"
    assert default_path().parent.name == "memplanner"


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough" * 40, b"SQLite format 3"]
)
def test_a_damaged_file_is_one_sentence_and_stays(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(HistoryError, match=r"is damaged; move it away, and a new one is begun\.$"):
        History(path)
    assert path.read_bytes() == content


def test_a_file_damaged_in_the_middle_is_one_sentence(path: Path) -> None:
    with History(path) as history:
        for _ in range(200):
            history.add_run(run())
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(bytes(whole))
    backup_path(path).unlink()
    with History(path) as history, pytest.raises(HistoryError, match="is damaged"):
        history.runs()


def test_a_locked_file_is_one_sentence_and_works_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memplanner.history.store._PATIENCE_SECONDS", 0.1)
    with History(path) as history:
        other = sqlite3.connect(path)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HistoryError, match="in use by another program"):
            history.add_run(run())
        assert history.runs() == (), "readers do not wait for a writer"
        other.close()
        history.add_run(run())
        assert len(history.runs()) == 1


@pytest.mark.skipif(os.name != "posix", reason="POSIX files")
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot be opened"):
        History(tmp_path / "file" / "history.sqlite3")
    with pytest.raises(HistoryError, match="cannot be opened"):
        History(tmp_path)


def test_a_newer_file_is_told_and_left_alone(path: Path) -> None:
    History(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="written by a newer memplanner"):
        History(path)
    assert path.read_bytes() == before


def test_an_older_file_is_brought_up_with_what_it_holds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with History(path) as history:
        history.add_run(run())
    steps = (*schema_module.MIGRATIONS, "ALTER TABLE runs ADD COLUMN note TEXT;")
    monkeypatch.setattr(schema_module, "MIGRATIONS", steps)
    monkeypatch.setattr(schema_module, "VERSION", len(steps))
    for _ in range(2):  # the second opening finds nothing to do
        with History(path) as history:
            assert history.runs() == (run(),)
    connection = sqlite3.connect(path)
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(runs)")]
    assert "note" in columns
    assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
    connection.close()


def test_a_step_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    History(path).close()
    steps = (*schema_module.MIGRATIONS, "CREATE TABLE extra (id); CREATE TABLE runs (id);")
    monkeypatch.setattr(schema_module, "MIGRATIONS", steps)
    monkeypatch.setattr(schema_module, "VERSION", len(steps))
    with pytest.raises(HistoryError):
        History(path)
    connection = sqlite3.connect(path)
    assert (
        connection.execute("SELECT name FROM sqlite_master WHERE name = 'extra'").fetchall() == []
    )
    connection.close()


def test_a_row_that_makes_no_sense_is_left_out(path: Path) -> None:
    with History(path) as history:
        history.add_run(run())
        history.add_calibration(calibration())
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO runs (at, card, model, record) VALUES ('9', 'a', 'b', '{}')"
        )
        connection.execute(
            "INSERT INTO calibrations (at, card, record) VALUES ('9', 'card a', 'no JSON')"
        )
    connection.close()
    with History(path) as history:
        assert history.runs() == (run(),)
        assert history.calibration("card a") == calibration()
        assert history.unreadable == 2


def test_two_may_have_it_open(path: Path) -> None:
    with History(path) as one, History(path) as other:
        one.add_run(run())
        other.add_run(run("2026-01-02T00:00:00+00:00"))
        assert len(one.runs()) == len(other.runs()) == 2


@pytest.mark.parametrize(
    ("pragma", "sentence"),
    [
        ("max_page_count = 1", "cannot be written since the disk is full; free some."),
        ("query_only = 1", "cannot be written; make it and its folder writable."),
    ],
)
def test_what_cannot_be_written_is_told_and_leaves_what_is_there(
    path: Path, pragma: str, sentence: str
) -> None:
    with History(path) as history:
        history.add_run(run())
        history._connection.execute(f"PRAGMA {pragma}")
        long = run(model="m" * 10**6)
        with pytest.raises(HistoryError, match=sentence):
            history.add_run(long)
    with History(path) as history:
        assert history.runs() == (run(),)


def test_a_copy_takes_no_whole_files_place(path: Path) -> None:
    with History(path) as history:
        history.add_run(run())
    before = path.read_bytes()
    assert "has been replaced by its copy" in str(restore_backup(path))  # by another process
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["SQLITE_CORRUPT", "SQLITE_BUSY"])
def test_what_is_not_known_to_be_whole_is_not_copied(path: Path, name: str) -> None:
    with History(path) as history:
        history.add_run(run())
    copied = backup_path(path).read_bytes()
    error = sqlite3.DatabaseError("played")
    error.sqlite_errorname = name

    class Refusing(sqlite3.Connection):
        def execute(self, *_: object) -> NoReturn:  # type: ignore[override]  # it only raises
            raise error

    with closing(sqlite3.connect(path, factory=Refusing)) as connection:
        if name == "SQLITE_CORRUPT":
            assert not keep_backup(connection, path)
        else:
            with pytest.raises(sqlite3.DatabaseError, match="played"):
                keep_backup(connection, path)
    assert backup_path(path).read_bytes() == copied
