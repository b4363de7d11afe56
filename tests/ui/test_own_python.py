"""The Python that an engine runs in before one is chosen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from memplanner_ui.engine import own_python
from memplanner_ui.engine.own_python import PYTHON, is_alone


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A window that a Debian package has brought."""
    about = tmp_path / "memplanner-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: memplanner\nVersion: 0.1.0\n")
    (about / "INSTALLER").write_text("dpkg\n")
    monkeypatch.setattr(own_python, "distribution", lambda _: PathDistribution(about))
    is_alone.cache_clear()
    yield
    is_alone.cache_clear()


def test_a_program_that_pip_installed_has_its_own() -> None:
    assert not is_alone()
    assert own_python.own_python({"VIRTUAL_ENV": "/elsewhere"}) == sys.executable


@pytest.mark.usefixtures("alone")
def test_a_window_alone_takes_the_active_environment(tmp_path: Path) -> None:
    python = tmp_path / "active" / PYTHON
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert is_alone()
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        assert own_python.own_python({variable: str(tmp_path / "active")}) == str(python)
    assert Path(own_python.own_python({"VIRTUAL_ENV": str(tmp_path)})).name == "python3"
    assert Path(own_python.own_python({})).name == "python3"
