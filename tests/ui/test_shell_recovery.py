"""A plan that no file has survives the end of its window, and is offered at the next start."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Timer

import pytest
from pytestqt.qtbot import QtBot

from memplanner.plan import Plan
from memplanner.writing import write_whole
from memplanner_ui import recovery_files
from memplanner_ui.main_window import MainWindow
from memplanner_ui.recovery_files import KEPT_SECONDS, RecoveryFiles, UnsavedPlan

_CRASH = """
import os, sys
from pathlib import Path
from memplanner_ui.recovery_files import RecoveryFiles, UnsavedPlan
files = RecoveryFiles(Path(sys.argv[1]))
files.keep(UnsavedPlan.model_validate_json(sys.argv[2]))
os._exit(9)
"""


def unsaved(**values: object) -> UnsavedPlan:
    plan = Plan().with_values({"training.batch_size": 7})
    first = {"source": "preset:llama-3.1-8b", "model": "llama-3.1-8b", "written": time.time()}
    return UnsavedPlan.model_validate({**first, "plan": plan.to_dict(), **values})


def crash(folder: Path, left: UnsavedPlan) -> None:
    command = [sys.executable, "-c", _CRASH, str(folder), left.model_dump_json()]
    assert subprocess.run(command, check=False, timeout=60).returncode == 9


def test_only_what_windows_left_that_are_gone_is_offered_and_once(tmp_path: Path) -> None:
    alive = RecoveryFiles(tmp_path)
    alive.keep(unsaved(model="alive"))
    crash(tmp_path, unsaved(model="gone"))
    crash(tmp_path, unsaved(model="old", written=time.time() - KEPT_SECONDS - 1))
    (tmp_path / "rubbish.json").write_bytes(b"{")
    other = RecoveryFiles(tmp_path)
    (left,) = other.left_behind()
    assert left.unsaved.model == "gone"
    assert not RecoveryFiles(tmp_path).left_behind(), "another window offers it"
    other.discard(left)
    alive.forget()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_none_but_the_user_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files = RecoveryFiles(tmp_path / "unsaved")
        files.keep(unsaved())
    finally:
        os.umask(before)
    assert stat.S_IMODE(files.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.path.parent.stat().st_mode) == 0o700
    files.forget()


def test_edits_are_kept_until_they_are_saved_undone_or_given_up(
    qtbot: QtBot, opened: MainWindow, tmp_path: Path
) -> None:
    document, recovery = opened.session.document, opened.recovery
    document.set_value("training.batch_size", 5)
    qtbot.waitUntil(recovery.files.path.exists, timeout=5000)
    kept = UnsavedPlan.model_validate_json(recovery.files.path.read_bytes())
    assert Plan.parse(kept.plan, origin="kept") == document.plan
    assert (kept.source, kept.changes) == (document.source, 1)
    assert "5" in kept.last_change
    assert opened.session.save_plan(tmp_path / "mine.yaml")
    recovery.keep()
    assert not recovery.files.path.exists()
    document.set_value("training.batch_size", 6)
    recovery.keep()
    assert recovery.files.path.exists()
    document.history.undo()
    recovery.keep()
    assert not recovery.files.path.exists()
    document.set_value("training.batch_size", 8)
    recovery.keep()
    recovery.end()
    assert not recovery.files.path.exists()


class SlowDisk:
    """Writes that begin at once and end when they are let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = Event(), Event()
        self.written: list[int] = []
        monkeypatch.setattr(recovery_files, "write_whole", self.write)

    def write(self, path: Path, text: str, *, private: bool) -> None:
        self.begun.set()
        assert self.go.wait(30)
        kept = UnsavedPlan.model_validate_json(text)
        self.written.append(Plan.parse(kept.plan, origin="kept").training.batch_size)
        write_whole(path, text, private=private)


def test_a_slow_disk_holds_up_no_edit_and_has_the_last_plan_in_the_end(
    qtbot: QtBot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, recovery, disk = opened.session.document, opened.recovery, SlowDisk(monkeypatch)
    document.set_value("training.batch_size", 5)
    qtbot.waitUntil(disk.begun.is_set, timeout=5000)
    for size in (6, 7, 8):
        document.set_value("training.batch_size", size)
        recovery.keep_soon()
    assert not disk.written, "the window went on meanwhile"
    disk.go.set()
    recovery.keep()
    assert disk.written == [5, 8], "in their order; what was outdated is left out"
    assert recovery.files.path.exists()
    recovery.end()


def test_a_window_that_closes_waits_for_its_disk_and_leaves_nothing(
    qtbot: QtBot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, recovery, disk = opened.session.document, opened.recovery, SlowDisk(monkeypatch)
    document.set_value("training.batch_size", 5)
    qtbot.waitUntil(disk.begun.is_set, timeout=5000)
    Timer(0.2, disk.go.set).start()
    recovery.end()
    assert disk.written == [5]
    assert not list(recovery.files.path.parent.iterdir())


def test_a_defect_in_the_window_has_the_plan_written_at_once(
    qtbot: QtBot, opened: MainWindow, capsys: pytest.CaptureFixture[str]
) -> None:
    recovery = opened.recovery
    opened.session.document.set_value("training.batch_size", 5)
    assert not recovery.files.path.exists()
    opened.crashes.take(ValueError, ValueError("odd"), None)
    assert "odd" in capsys.readouterr().err
    qtbot.waitUntil(recovery.files.path.exists, timeout=900)  # sooner than it would be otherwise
    recovery.end()


def test_a_disk_that_is_full_is_told_in_the_log(
    qtbot: QtBot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str, *, private: bool) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(recovery_files, "write_whole", full)
    opened.session.document.set_value("training.batch_size", 5)
    opened.recovery.keep()
    qtbot.waitUntil(lambda: "could not be written" in opened.log.text)
    opened.recovery.end()


def test_what_was_left_is_restored_with_its_model(qtbot: QtBot, opened: MainWindow) -> None:
    document, recovery = opened.session.document, opened.recovery
    source = document.source
    assert source is not None
    crash(recovery.files.path.parent, unsaved(source=source, plan_file="/plans/mine.yaml"))
    document.close_model()
    recovery.offer()
    assert "was not saved" in opened.start.notice.text
    (left,) = recovery._left
    recovery.restore(left)
    qtbot.waitUntil(lambda: document.plan.training.batch_size == 7, timeout=10000)
    assert document.dirty
    assert document.plan_name == "mine"
    assert not left.path.exists()
    assert recovery.files.path.exists(), "it is this window's now"
    recovery.end()


def test_what_is_discarded_is_gone(opened: MainWindow) -> None:
    recovery = opened.recovery
    opened.session.document.close_model()
    crash(recovery.files.path.parent, unsaved())
    recovery.offer()
    (left,) = recovery._left
    recovery.discard(left)
    assert not left.path.exists()
    assert not opened.start.notice.text
