"""The program from outside: it starts, imports no torch, and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memplanner_ui.application import application_icon, main

START = """
import sys, time
began = time.perf_counter()
from PySide6.QtCore import QTimer
from memplanner_ui import application

def ended(window):
    heavy = {"torch", "transformers", "accelerate", "peft"} & set(sys.modules)
    print("heavy", sorted(heavy))
    print("visible", window.isVisible())
    window.close()

original = application._begin
def begin(window, source):
    print("shown", time.perf_counter() - began)
    window.session.engine._arguments = (sys.argv[1],)
    original(window, source)
    QTimer.singleShot(1500, window, lambda: ended(window))
application._begin = begin
print("exit", application.main(["preset:gpt2", "--theme", "dark"]))
"""


def start(fake_engine: Path, tmp_path: Path, **more: str) -> list[str]:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), **more}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", START, str(fake_engine)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_the_window_imports_no_torch_and_ends_well(
    engine_arguments: tuple[str, ...], tmp_path: Path
) -> None:
    lines = start(Path(engine_arguments[0]), tmp_path, QT_QPA_PLATFORM="offscreen")
    assert "heavy []" in lines
    assert "visible True" in lines
    assert lines[-1] == "exit 0"


@pytest.mark.window
@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="needs an X display")
def test_a_real_window_opens_a_model_and_ends(
    engine_arguments: tuple[str, ...], tmp_path: Path
) -> None:
    lines = start(Path(engine_arguments[0]), tmp_path, QT_QPA_PLATFORM="xcb")
    assert "heavy []" in lines
    assert lines[-1] == "exit 0"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "set DISPLAY" in said


def test_the_icon_has_every_size(qapp: object) -> None:
    sizes = {size.width() for size in application_icon().availableSizes()}
    assert {16, 32, 48, 256} <= sizes
