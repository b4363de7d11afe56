"""A plan that no file has survives the end of its window, and is offered at the next start."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memplanner.plan import Plan
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
