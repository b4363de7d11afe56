"""What may befall the history's file: nothing that was kept is lost, and what was done is said."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from memplanner.errors import HistoryError
from memplanner.history import History
from memplanner.history.backup import backup_path
from memplanner.history.kept import kept_runs
from tests.history.records import run

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals, limits and modes")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite3"


def fill(path: Path, count: int = 60) -> None:
    with History(path) as history:
        for number in range(count):
            history.add_run(run(f"2026-01-01T00:00:{number:02d}+00:00"))


def spoil(path: Path) -> bytes:
    """Overwrites all pages but the first, as a broken disk may."""
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(bytes(whole))
    return bytes(whole)


_KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA synchronous = FULL")
columns = "at, card, model, record"
insert = f"INSERT INTO runs ({columns}) SELECT {columns} FROM runs LIMIT 1"
connection.execute(insert)
connection.commit()
connection.execute(insert)  # and this one is not committed
os.kill(os.getpid(), signal.SIGKILL)
"""


@posix
def test_a_process_killed_while_it_writes_loses_only_what_it_had_not_finished(path: Path) -> None:
    fill(path, 1)
    done = subprocess.run([sys.executable, "-c", _KILLED, path], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    with History(path) as history:
        assert len(history.runs()) == 2
        assert history.notice == ""


def test_a_damaged_file_is_replaced_by_its_copy_and_kept(path: Path) -> None:
    fill(path)
    spoiled = spoil(path)
    found = kept_runs(path=path)
    assert (len(found.runs), found.total) == (60, 60)
    assert "was damaged, so its copy of" in found.notice
    assert found.notice.endswith("the damaged file is kept as history.damaged.sqlite3.")
    assert path.with_name("history.damaged.sqlite3").read_bytes() == spoiled
    assert kept_runs(path=path).notice == "", "it is said once"


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough" * 40])
def test_a_file_that_a_power_cut_emptied_or_filled_is_replaced(path: Path, content: bytes) -> None:
    fill(path, 2)
    path.write_bytes(content)
    with History(path) as history:
        history.add_run(run("2026-01-02T00:00:00+00:00"))
        assert len(history.runs()) == 3
        assert "was damaged" in history.notice


def test_what_is_added_to_a_damaged_file_is_added_to_its_copy(path: Path) -> None:
    fill(path)
    with History(path) as history:
        spoil(path)
        history._connection.execute("PRAGMA shrink_memory")
        history.add_run(run("2026-01-02T00:00:00+00:00"))
        assert history.count_runs() == 61


def test_a_copy_is_only_made_of_a_file_that_is_whole(path: Path) -> None:
    fill(path)
    good = backup_path(path).read_bytes()
    with History(path) as history:
        history.add_run(run())
        spoil(path)
        path.with_name(path.name + "-wal").write_bytes(b"")
    assert backup_path(path).read_bytes() == good


def test_a_damaged_file_with_a_damaged_copy_is_left_alone(path: Path) -> None:
    fill(path)
    spoil(backup_path(path))
    spoiled = spoil(path)
    with History(path) as history, pytest.raises(HistoryError, match="move it away"):
        history.runs()
    assert path.read_bytes() == spoiled


@posix
def test_everything_of_it_is_the_owners_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with History(path) as history:
            history.add_run(run())
            names = {one.name for one in path.parent.iterdir()}
            modes = {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert names == {path.name, path.name + "-wal", path.name + "-shm"}
    assert modes == {0o600}
    assert stat.S_IMODE(backup_path(path).stat().st_mode) == 0o600
    assert {one.name for one in path.parent.iterdir()} == {path.name, backup_path(path).name}


def test_two_windows_write_at_once_and_neither_loses_a_run(path: Path) -> None:
    fill(path, 1)

    def add(day: int) -> None:
        for number in range(6):
            with History(path) as history:
                history.add_run(run(f"2026-02-{day:02d}T00:00:{number:02d}+00:00"))

    threads = [threading.Thread(target=add, args=(day,)) for day in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept_runs(path=path).total == 13


def test_a_clock_set_back_loses_no_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path, 3)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with History(path) as history:
        history.add_run(run("1970-01-01T00:00:00+00:00"))
        assert len(history.runs()) == 4


_FULL = """
import resource, signal, sys
from pathlib import Path
from memplanner.errors import HistoryError
from memplanner.history import History
from tests.history.records import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
with History(path) as history:
    size = path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        for _ in range(1000):
            history.add_run(run())
    except HistoryError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    print(len(history.runs()))
"""


@posix
def test_a_full_disk_is_one_sentence_and_loses_nothing(path: Path) -> None:
    fill(path, 3)
    done = subprocess.run(
        [sys.executable, "-c", _FULL, path], capture_output=True, text=True, check=True, timeout=120
    )
    said, count = done.stdout.splitlines()
    assert said.startswith(f"The history {path} cannot be "), said
    assert "free some" in said
    assert int(count) >= 3
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
