"""A system that lacks a library of Qt's is told which package brings it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import PySide6
import pytest

from memplanner_ui import system_libraries
from memplanner_ui.system_libraries import (
    FAMILIES,
    LIBRARIES,
    WAYLAND_LIBRARIES,
    install_command,
    why_no_platform,
    why_no_window,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems bring all of it")

PLATFORMS = Path(next(iter(PySide6.__path__)), "Qt", "plugins", "platforms")


def plugin_that_needs(folder: Path, name: str, library: str, other: str) -> None:
    """Qt's own plugin, asking the dynamic linker for ``other`` in the place of ``library``."""
    plugin = (PLATFORMS / name).read_bytes()
    assert len(library) == len(other)
    assert plugin.count(library.encode())
    (folder / name).write_bytes(plugin.replace(library.encode(), other.encode()))
    (folder.parent.parent / "lib").mkdir(exist_ok=True)
    for file in (PLATFORMS.parents[1] / "lib").glob("*.so.*"):
        (folder.parent.parent / "lib" / file.name).symlink_to(file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "Qt" / "plugins" / "platforms"
    found.mkdir(parents=True)
    return found


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_that_needs(folder, "libqxcb.so", "libxcb-cursor.so.0", "libxcb-absent.so.0")
    gone = LIBRARIES["libxcb-cursor.so.0"]
    monkeypatch.setitem(LIBRARIES, "libxcb-absent.so.0", gone)
    monkeypatch.delitem(LIBRARIES, "libxcb-cursor.so.0")
    monkeypatch.setattr(system_libraries, "this_distribution", lambda: ["linuxmint", "ubuntu"])
    assert why_no_platform(folder, ["xcb"]) == (
        "The window needs libxcb-absent.so.0 of the system; install what is missing with "
        "“sudo apt-get install libxcb-cursor0”."
    )


def test_all_that_are_missing_are_named_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_that_needs(folder, "libqxcb.so", "libxcb-cursor.so.0", "libxcb-absent.so.0")
    monkeypatch.setattr(system_libraries, "loads", lambda name: name != "libEGL.so.1")
    monkeypatch.setattr(system_libraries, "this_distribution", list)
    said = why_no_platform(folder, ["xcb"])
    assert said.startswith("The window needs libxcb-absent.so.0, libEGL.so.1 of the system; ")


def test_one_platform_that_works_is_enough(folder: Path) -> None:
    plugin_that_needs(folder, "libqwayland.so", "libwayland-cursor.so.0", "libwayland-absent.so.0")
    (folder / "libqoffscreen.so").symlink_to(PLATFORMS / "libqoffscreen.so")
    assert "libwayland-absent.so.0" in why_no_platform(folder, ["wayland"])
    assert why_no_platform(folder, ["wayland", "offscreen"]) == ""


def test_every_distribution_has_its_own_words() -> None:
    missing = ["libEGL.so.1", "libxcb-cursor.so.0"]
    assert install_command(missing, ["debian"]) == "sudo apt-get install libegl1 libxcb-cursor0"
    assert (
        install_command(missing, ["rocky", "rhel", "fedora"])
        == "sudo dnf install libglvnd-egl xcb-util-cursor"
    )
    assert install_command(missing, ["arch"]) == "sudo pacman -S libglvnd xcb-util-cursor"
    assert (
        install_command(missing, ["opensuse-leap"]) == "sudo zypper install libglvnd libxcb-cursor0"
    )
    assert install_command(missing, ["gentoo"]) == ""
    assert install_command(["libunheard.so.1"], FAMILIES) == ""


def test_a_window_without_pyside_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system_libraries, "find_spec", lambda _: None)
    assert "has no PySide6" in why_no_window({})


def test_the_window_says_it_instead_of_an_abort(tmp_path: Path) -> None:
    """A PySide6 whose GUI library asks for an EGL that is nowhere stands before the real one."""
    real = PLATFORMS.parents[2]
    shadow = tmp_path / "PySide6"
    (shadow / "Qt" / "lib").mkdir(parents=True)
    for file in (*real.iterdir(), *(real / "Qt" / "lib").iterdir()):
        if file.name != "Qt":
            (shadow / file.relative_to(real)).symlink_to(file)
    library = shadow / "Qt" / "lib" / "libQt6Gui.so.6"
    content = library.read_bytes().replace(b"libEGL.so.1", b"libNoE.so.1")
    library.unlink()
    library.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", "memplanner_ui"],
        capture_output=True, text=True, timeout=20, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("The window needs libNoE.so.1 of the system; ")


def test_the_tables_name_each_library_once() -> None:
    assert not LIBRARIES.keys() & WAYLAND_LIBRARIES.keys()
