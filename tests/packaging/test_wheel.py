"""The wheel holds everything, installs into a clean environment, and starts without torch."""

from __future__ import annotations

import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import memplanner
from tests.packaging.conftest import ROOT, Environment, required, run

pytestmark = pytest.mark.slow

ENGINE = frozenset({"torch", "transformers", "accelerate", "peft"})
OPEN = """
from functools import partial
from PySide6.QtCore import QTimer
from memplanner_ui import application

original = application._begin
def begin(window, source):
    window.session.noticed.connect(partial(told, window))
    QTimer.singleShot(120_000, window, window.close)
    original(window, source)
def told(window, notice):
    print("status:", window.status.engine.text())
    print("notice:", notice.what)
    print("fixes:", [fix.button for fix in notice.fixes])
    window.close()
application._begin = begin
application.main(["preset:gpt2"])
"""


def test_the_distributions_hold_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    for package, folder in (
        ("memplanner", "memplanner"),
        ("memplanner/resources", "resources"),
        ("memplanner_ui", "ui/memplanner_ui"),
    ):
        files = [file for file in (ROOT / folder).rglob("*") if "__pycache__" not in file.parts]
        expected = {
            f"{package}/{file.relative_to(ROOT / folder).as_posix()}"
            for file in files
            if file.is_file() and file.suffix != ".ts"  # what .qm files are compiled from
        }
        assert expected
        assert not expected - inside
    for part in ("presets/", "icons/", "cards.json", "style/", "samples/", "templates/"):
        assert any(name.startswith(f"memplanner/resources/{part}") for name in inside), part
    assert any(name.startswith("memplanner/docs/") for name in inside)
    (source,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        folders = {name.split("/")[1] for name in archive.getnames() if name.count("/") > 1}
    assert folders >= {"memplanner", "ui", "resources", "packaging", "tests", "docs", "benchmarks"}


def test_it_installs_beside_a_torch_that_is_there(
    wheel: Path, environment: Callable[[Iterable[str]], Environment]
) -> None:
    clean = environment(required(["memplanner"]) - {"memplanner"})
    clean.install(str(wheel))  # fails where a requirement is not met by what is there
    command = str(Path(clean.python).with_name("memplanner"))
    assert "llama-3.1-8b" in run([command, "presets"])
    version = "from importlib.metadata import version; print(version('memplanner'))"
    assert run([clean.python, "-c", version]).strip() == memplanner.__version__


def test_the_window_starts_without_torch_and_says_what_its_engine_lacks(
    wheel: Path, environment: Callable[[Iterable[str]], Environment], tmp_path: Path
) -> None:
    present = required(["memplanner"], ENGINE) - {"memplanner"}
    assert "torch" not in present
    clean = environment(present)
    clean.install("--no-deps", str(wheel))
    (tmp_path / "open.py").write_text(OPEN)
    done = subprocess.run(
        [clean.python, tmp_path / "open.py"],
        env={
            **os.environ, "QT_QPA_PLATFORM": "offscreen",
            "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path),
        },
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert "no torch" in done.stdout, done
    assert f"{clean.python} has no torch, which the engine needs" in done.stdout
    assert f"{clean.python} -m pip install torch" in done.stdout
    assert "Choose…" in done.stdout
    terminal = subprocess.run(
        [Path(clean.python).with_name("memplanner"), "estimate", "preset:gpt2"],
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert terminal.returncode == 2
    assert terminal.stderr.startswith(f"{clean.python} has no torch, which the engine needs")
    assert terminal.stderr.count("\n") == 1
