"""The wheel, environments that it is installed in, and programs that are started."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from memplanner_ui.look.tokens import read_tokens

ROOT = Path(__file__).parents[2]
PACKAGES = Path(sysconfig.get_path("purelib"))


class Environment(NamedTuple):
    """A virtual environment of its own, without pip."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def packages(self) -> Path:
        (found,) = self.folder.glob("lib/python3*/site-packages")
        return found

    def install(self, *what: str) -> None:
        """Installs what needs no index; raises where that does not do."""
        pip = [sys.executable, "-m", "pip", "--quiet", "--python", self.python, "install"]
        environment = {**os.environ, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
        subprocess.run([*pip, "--no-index", *what], env=environment, check=True)


def required(names: Iterable[str], without: frozenset[str] = frozenset()) -> set[str]:
    """The distributions here that those named require, themselves among them, with their extras."""
    found: set[tuple[str, str]] = set()
    waiting = [(name, "") for name in names]
    while waiting:
        named, extra = waiting.pop()
        name = re.sub(r"[-_.]+", "-", named).lower()
        if (name, extra) not in found and name not in without:
            found.add((name, extra))
            waiting += [
                (one.name, wanted)
                for one in map(Requirement, distribution(name).requires or ())
                if one.marker is None or one.marker.evaluate({"extra": extra})
                for wanted in ("", *one.extras)  # torch wants all of CUDA's as extras of one
            ]
    return {name for name, _ in found}


DIST = os.environ.get("MEMPLANNER_DIST")
"""Where all packages have been built already, as make package does it."""


def built(what: str, folder: Path, *options: str | Path) -> Path:
    """The folder that the packages of ``packaging/WHAT.py`` are in."""
    if DIST is not None:
        return Path(DIST).resolve()
    run([sys.executable, ROOT / "packaging" / f"{what}.py", "--output", folder, *options])
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of the source distribution beside it."""
    (found,) = built("wheel", tmp_path_factory.mktemp("dist")).glob("*.whl")
    return found


@pytest.fixture
def environment(tmp_path: Path) -> Callable[[Iterable[str]], Environment]:
    """Makes a clean environment that has the distributions named: links to those here.

    They stand for what an index of the user's has; nothing is fetched.
    """

    def make(names: Iterable[str]) -> Environment:
        made = Environment(tmp_path / "environment")
        run([sys.executable, "-m", "venv", "--without-pip", made.folder])
        for name in names:
            files = distribution(name).files or ()
            for top in {file.parts[0] for file in files if file.parts[0] != ".."}:
                link = made.packages / top
                if top != "__pycache__" and not link.exists():
                    link.symlink_to(PACKAGES / top)
        return made

    return make


@pytest.fixture
def shows_an_estimate(tmp_path: Path) -> Callable[[Sequence[str | Path]], None]:
    """Starts the program on the display and waits for a first estimate on the screen."""

    def show(command: Sequence[str | Path]) -> None:
        environment = {
            **os.environ, "QT_QPA_PLATFORM": "xcb",
            "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "XDG_DATA_HOME": str(tmp_path / "data"),
        }  # fmt: skip
        color = read_tokens("light").fills["activations"]
        picture = tmp_path / "screen.png"
        program = subprocess.Popen(
            [*command, "--theme", "light", "preset:gpt2"],
            env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            seen = subprocess.run(
                [sys.executable, "-m", "tests.packaging.seen", color, "400", picture],
                env=environment, cwd=ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert program.poll() is None, program.stderr.read() if program.stderr else ""
            assert seen.stdout.strip() == "seen", picture
        finally:
            program.terminate()
            program.communicate(timeout=20)

    return show


def run(command: Sequence[str | Path]) -> str:
    """What a command prints; what it says of its failure is shown."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
