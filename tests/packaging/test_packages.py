"""The packages of the window without torch: built, installed, started, and showing an estimate."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from memplanner_ui.system_libraries import LIBRARIES
from tests.packaging.conftest import ROOT, built, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.window,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="needs an X display"),
]

Show = Callable[[Sequence[str | Path]], None]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")
def test_the_debian_package_installs_and_starts(
    wheel: Path, tmp_path: Path, shows_an_estimate: Show
) -> None:
    (package,) = built("deb", tmp_path, "--wheel", wheel).glob("memplanner_*.deb")
    assert package.stat().st_size < 80 * 1024**2
    control = run(["dpkg-deb", "--field", package])
    depends = set(re.findall(r"[\w.+-]+", control.partition("Depends:")[2].partition("\n")[0]))
    assert {one.debian for one in LIBRARIES.values()} <= depends
    # a system of its own, so that this one stays as it is; no root is needed for it
    system = tmp_path / "system"
    for name in ("info", "updates", "triggers"):
        (system / "var" / "lib" / "dpkg" / name).mkdir(parents=True)
    (system / "var" / "lib" / "dpkg" / "status").touch()
    force = ["--force-not-root", "--force-depends", "--force-bad-path"]
    run(["dpkg", f"--root={system}", "--log=/dev/null", *force, "--install", package])
    assert run(["dpkg-query", f"--admindir={system}/var/lib/dpkg", "-W", "-f", "${Status}",
                "memplanner"]) == "install ok installed"  # fmt: skip
    program = system / "usr" / "bin" / "memplanner"
    assert not (system / "usr" / "lib" / "memplanner" / "torch").exists()
    shows_an_estimate([*as_if_of_debian(tmp_path), program, "gui", "--python", sys.executable])


def as_if_of_debian(folder: Path) -> list[str | Path]:
    """A Python that has nothing but what the package takes from Debian, in front of a script."""
    for module in ("jinja2", "markupsafe"):
        found = __import__(module).__path__[0]
        (folder / "debian").mkdir(exist_ok=True)
        (folder / "debian" / module).symlink_to(found)
    script = "import sys, runpy; sys.path.append({!r}); del sys.argv[0]; {}".format(
        str(folder / "debian"), "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    return [base, "-I", "-S", "-c", script]


@pytest.mark.package
def test_the_folder_starts(wheel: Path, tmp_path: Path, shows_an_estimate: Show) -> None:
    folder = built("folder", tmp_path, "--wheel", wheel) / "memplanner"
    moved = Path(shutil.copytree(folder, tmp_path / "elsewhere", symlinks=True))
    shows_an_estimate([moved / "memplanner", "gui", "--python", sys.executable])


def test_another_command_than_the_window_is_refused_in_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "packaging" / "start.py", "estimate", "preset:gpt2"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "window alone" in done.stderr
    assert done.stderr.count("\n") == 1
