"""What may import what: by the contracts, and by what a fresh interpreter really loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TORCH = {"torch", "transformers", "accelerate", "peft", "numpy", "safetensors", "gguf"}
QT = {"PySide6", "shiboken6", "pyqtgraph"}

_LOADED = """
import json, sys
{code}
packages = sorted({{name.partition(".")[0] for name in sys.modules}})
print("loaded", json.dumps(packages), file=sys.stderr)
"""
_TERMINAL = """
from importlib.metadata import entry_points
(command,) = entry_points(group="console_scripts", name="memplanner")
main = command.load()
sys.argv = ["memplanner", *{arguments!r}]
try:
    ended = main()
except SystemExit as end:
    ended = end.code
assert not ended, ended
"""


def loaded_by(code: str) -> tuple[set[str], str]:
    """The packages that a fresh interpreter has loaded after ``code``, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _LOADED.format(code=code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("loaded "))
    return set(json.loads(line.removeprefix("loaded "))), done.stdout


def loaded_by_command(*arguments: str) -> tuple[set[str], str]:
    """The same for the installed command ``memplanner``."""
    return loaded_by(_TERMINAL.format(arguments=arguments))


def test_the_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "memplanner",
        "memplanner.plan",
        "memplanner.plan.file",
        "memplanner.units",
        "memplanner.errors",
        "memplanner.messages.protocol",
        "memplanner.hardware",
        "memplanner_ui.start",
    ],
)
def test_what_the_window_shares_with_the_engine_is_light(module: str) -> None:
    packages, _ = loaded_by(f"import {module}")
    assert module.partition(".")[0] in packages
    assert not packages & (TORCH | QT)


def test_the_window_brings_qt_and_no_torch() -> None:
    packages, _ = loaded_by("import memplanner_ui.application, memplanner_ui.__main__")
    assert "PySide6" in packages
    assert not packages & (TORCH - {"numpy"})  # pyqtgraph draws with numpy
    assert "memplanner.estimate" not in packages


def test_the_process_that_reads_a_snapshot_brings_no_torch() -> None:
    packages, _ = loaded_by("import memplanner.run.snapshot_worker")
    assert "numpy" in packages  # curves are its arrays
    assert not packages & ((TORCH - {"numpy"}) | QT)


def test_the_engine_brings_torch_and_no_qt() -> None:
    packages, _ = loaded_by("import memplanner.server.__main__, memplanner.estimate")
    assert "torch" in packages
    assert not packages & QT


def test_the_engine_starts_without_torch() -> None:
    packages, _ = loaded_by("import memplanner.server.__main__")
    assert not packages & (TORCH | QT)


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("estimate", "--help"), ("devices", "--json"), ("presets", "--json")],
    ids=" ".join,
)
def test_what_needs_no_model_brings_no_torch(arguments: tuple[str, ...]) -> None:
    packages, printed = loaded_by_command(*arguments)
    assert printed.strip()
    assert not packages & (TORCH | QT)
