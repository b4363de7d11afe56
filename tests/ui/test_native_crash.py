"""A window that a signal ends leaves its trace; the next one offers it as a report."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from memplanner_ui.crash.native import NativeTrace

posix = pytest.mark.skipif(os.name != "posix", reason="signals and modes are POSIX's")

START = """
import faulthandler, os, signal, sys
from PySide6.QtCore import QTimer
from memplanner_ui import application

faulthandler.disable()
original = application._begin

def end(window):
    if sys.argv[2] == "fault":
        faulthandler._sigsegv()
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    notice = window.start.notice
    print("said", notice.text.replace(chr(10), " "))
    for path in window.crashes.reports.paths():
        print("report", path.read_text().replace(chr(10), " "))
    window.close()

def begin(window, source):
    window.session.engine._arguments = (sys.argv[1],)
    original(window, source)
    QTimer.singleShot(300, window, lambda: end(window))

application._begin = begin
print("exit", application.main([]))
"""


def window(engine: str, folder: Path, ends: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "XDG_CONFIG_HOME": str(folder),
        "QT_QPA_PLATFORM": "offscreen",
    }
    environment.pop("PYTHONFAULTHANDLER", None)
    return subprocess.run(
        [sys.executable, "-c", START, engine, ends],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )


@posix
def test_a_segmentation_fault_is_told_by_the_next_window(
    engine_arguments: tuple[str, ...], tmp_path: Path
) -> None:
    engine = engine_arguments[0]
    assert window(engine, tmp_path, "fault").returncode == -signal.SIGSEGV
    (trace,) = tmp_path.rglob("*.trace")
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600

    after = window(engine, tmp_path, "in order")
    assert after.returncode == 0, after.stderr
    assert "said The last window was ended by a fault." in after.stdout
    (report,) = [line for line in after.stdout.splitlines() if line.startswith("report")]
    for word in ("Segmentation fault", "in end", "on this machine alone", "PySide6"):
        assert word in report
    assert not list(tmp_path.rglob("*.trace"))

    again = window(engine, tmp_path, "in order").stdout.partition("report")
    assert again[1], "the report itself is kept until it is deleted"
    assert "ended by a fault" not in again[0]


@posix
def test_a_window_that_was_killed_leaves_nothing_to_tell(
    engine_arguments: tuple[str, ...], tmp_path: Path
) -> None:
    engine = engine_arguments[0]
    assert window(engine, tmp_path, "killed").returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("*.trace"))
    after = window(engine, tmp_path, "in order")
    assert "ended by a fault" not in after.stdout
    assert "report" not in after.stdout
    assert not list(tmp_path.rglob("*.trace"))


def test_a_window_that_is_open_keeps_its_own(tmp_path: Path) -> None:
    code = (
        "import faulthandler, sys; from pathlib import Path;"
        "from memplanner_ui.crash.native import NativeTrace;"
        "faulthandler.disable(); trace = NativeTrace(Path(sys.argv[1])); trace.begin();"
        "print('begun', flush=True); input(); trace.end()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert NativeTrace(tmp_path).left_behind() == ""
    assert len(list(tmp_path.glob("*.trace"))) == 1
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert not list(tmp_path.glob("*.trace"))
