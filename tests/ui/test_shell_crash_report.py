"""What nobody foresaw is reported on this machine alone; logs are masked, bounded and private."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from memplanner.masking import MASK
from memplanner.messages import protocol
from memplanner_ui import log_file
from memplanner_ui.crash.dialog import ReportDialog
from memplanner_ui.crash.report import MOST_REPORTS, Reports
from memplanner_ui.log_file import LogFile
from memplanner_ui.main_window import MainWindow
from tests.ui.acting import press

TOKEN = "hf_" + "aZ9" * 9
posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_exception_in_the_window_becomes_a_report_to_read_save_and_delete(
    qtbot: QtBot, opened: MainWindow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashes, notice = opened.crashes, opened.workspace.notice
    try:
        raise LookupError(f"no such thing in {Path.home()}/work with {TOKEN}")
    except LookupError as error:
        crashes.take(LookupError, error, error.__traceback__)
    assert "LookupError" in capsys.readouterr().err, "it is printed as ever"
    qtbot.waitUntil(lambda: "failed unexpectedly (LookupError" in notice.text)
    assert "on this machine alone" in notice.text
    (path,) = crashes.reports.paths()
    text = path.read_text()
    for said in ("LookupError", "test_shell_crash_report.py", "PySide6", "torch 2.13.0"):
        assert said in text
    assert "to the engine: MakeEstimate" in text
    assert "from the engine: Estimated" in text
    assert "llama" not in text.lower(), "what messages said is not kept"
    assert TOKEN not in text + notice.text
    assert f"{Path.home()}/work" not in text
    press(notice, "Read the report")
    (dialog,) = opened.findChildren(ReportDialog)
    assert dialog.text.toPlainText() == text
    dialog.copy.click()
    assert QGuiApplication.clipboard().text() == text
    dialog.save_to(str(tmp_path / "saved.txt"))
    assert (tmp_path / "saved.txt").read_text() == text
    dialog.save_to("/nowhere/at/all.txt")
    assert dialog.words.text().startswith("/nowhere/at/all.txt could not be written")
    dialog.delete.click()
    assert not path.exists()


def test_a_defect_of_the_engine_is_reported_with_what_it_wrote(
    qtbot: QtBot, opened: MainWindow
) -> None:
    engine, notice = opened.session.engine, opened.workspace.notice
    process = engine._process
    assert process is not None
    process.note(f'  File "memplanner/x.py", line 3, in f  # {TOKEN}')
    failure = protocol.Failure(id=1, error="Defect", sentence="memplanner failed in make_estimate.")
    engine.defect.emit(failure)
    qtbot.waitUntil(lambda: notice.text.startswith("memplanner failed in make_estimate."))
    text = opened.crashes.reports.paths()[0].read_text()
    assert 'File "memplanner/x.py", line 3' in text
    assert TOKEN not in text + opened.log.text
    assert MASK in opened.log.text


def test_an_interrupt_is_no_defect_and_a_report_that_cannot_be_written_is_a_line(
    opened: MainWindow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = opened.crashes
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    crashes.watch()
    assert sys.excepthook == crashes.take
    crashes.take(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert crashes.reports.paths() == []
    crashes.reports.folder.parent.mkdir(parents=True, exist_ok=True)
    crashes.reports.folder.write_text("a file where the folder would be")
    crashes.take(ValueError, ValueError("x"), None)
    assert "A crash report could not be written" in opened.log.text
    assert "ValueError: x" in capsys.readouterr().err


@posix
def test_reports_are_few_and_their_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        reports = Reports(tmp_path / "reports")
        kept = [reports.keep(f"report {number}") for number in range(MOST_REPORTS + 3)]
    finally:
        os.umask(before)
    assert reports.paths() == sorted(kept, reverse=True)[:MOST_REPORTS]
    assert {mode(path) for path in reports.paths()} == {0o600}
    assert mode(reports.folder) == 0o700


@posix
def test_a_log_is_bounded_and_its_owners(
    qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LARGEST_BYTES", 2000)
    monkeypatch.setattr(log_file, "MOST_WAITING", 20)
    log = LogFile(tmp_path / "log")
    before = os.umask(0)
    try:
        for part in range(12):
            for number in range(30):
                log.add(f"part {part} line {number} {'x' * 40}")
            log.write()
    finally:
        os.umask(before)
    files = sorted(log.path.parent.iterdir())
    assert [one.name for one in files] == ["window.log", "window.log.1", "window.log.2"]
    assert {mode(one) for one in files} == {0o600}
    assert mode(log.path.parent) == 0o700
    assert sum(one.stat().st_size for one in files) < 12_000
    assert log.path.read_text().rstrip().endswith("… 10 lines left out …")


def test_a_log_that_cannot_be_written_is_said_once(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    log = LogFile(tmp_path / "log")
    told: list[str] = []
    log.failed.connect(told.append)
    for _ in range(2):
        log.add("a line")
        log.write()
    assert len(told) == 1
    assert told[0].startswith(f"{log.path} cannot be written: ")
