"""Debian packages that the window and its tests need.

    python3 packaging/system_packages.py [--environment | --tests]

Looks for the libraries themselves, so any system that has them passes. What is missing is
installed where that needs no password, and else the one command that installs it is printed. Runs
before there is an environment: the standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

OLDEST_PYTHON = (3, 11)

LIBRARIES = {
    "libdbus-1-3": ("libdbus-1.so.3",),
    "libegl1": ("libEGL.so.1",),
    "libfontconfig1": ("libfontconfig.so.1", "libfreetype.so.6"),
    "libgl1": ("libGL.so.1",),
    "libglib2.0-0": ("libglib-2.0.so.0", "libgthread-2.0.so.0"),
    "libx11-xcb1": ("libX11-xcb.so.1", "libX11.so.6"),
    "libxcb-cursor0": ("libxcb-cursor.so.0",),
    "libxcb-icccm4": ("libxcb-icccm.so.4",),
    "libxcb-image0": ("libxcb-image.so.0",),
    "libxcb-keysyms1": ("libxcb-keysyms.so.1",),
    "libxcb-randr0": ("libxcb-randr.so.0",),
    "libxcb-render-util0": ("libxcb-render-util.so.0", "libxcb-render.so.0"),
    "libxcb-shape0": ("libxcb-shape.so.0",),
    "libxcb-shm0": ("libxcb-shm.so.0",),
    "libxcb-sync1": ("libxcb-sync.so.1",),
    "libxcb-util1": ("libxcb-util.so.1",),
    "libxcb-xfixes0": ("libxcb-xfixes.so.0",),
    "libxcb-xkb1": ("libxcb-xkb.so.1",),
    "libxkbcommon-x11-0": ("libxkbcommon-x11.so.0",),
    "libxkbcommon0": ("libxkbcommon.so.0",),
}
"""What Qt's libraries and its xcb platform are linked against, by package."""

PROGRAMS = {"openbox": "openbox", "xvfb": "Xvfb"}
"""What tests open real windows in, by package."""

FONTS = {"fonts-inter": "Inter"}
"""Fonts that pictures of the window are drawn in, by package."""


def main() -> int:
    """Brings what is missing; the exit code."""
    parser = argparse.ArgumentParser(description="Bring the Debian packages that are needed.")
    parser.add_argument(
        "--environment", action="store_true", help="what a virtual environment needs, no more"
    )
    parser.add_argument("--tests", action="store_true", help="what the tests need, too")
    options = parser.parse_args()
    if options.environment:
        if sys.version_info < OLDEST_PYTHON:
            print(
                f"Python {sys.version.split()[0]} is too old for memplanner; "
                "name one from 3.11 on, as in: make PYTHON=python3.11 …",
                file=sys.stderr,
            )
            return 1
        return bring(lambda: [] if find_spec("ensurepip") else ["python3-venv"])
    return bring(lambda: missing(tests=options.tests))


def missing(*, tests: bool) -> list[str]:
    """The packages of which something is not here."""
    packages = [name for name, files in LIBRARIES.items() if not all(map(loads, files))]
    if tests:
        packages += [name for name, program in PROGRAMS.items() if shutil.which(program) is None]
        packages += [name for name, family in FONTS.items() if not has_font(family)]
    return sorted(packages)


def loads(library: str) -> bool:
    """Whether the dynamic linker finds the library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_font(family: str) -> bool:
    """Whether a file of the font is in one of the usual folders."""
    folders = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts")
    return any(
        name.startswith(family)
        for folder in folders
        for _, _, names in os.walk(os.path.expanduser(folder))
        for name in names
    )


def bring(look: Callable[[], list[str]]) -> int:
    """Installs what ``look`` finds missing, if it may, and looks again; the exit code."""
    packages = look()
    if not packages:
        return 0
    if shutil.which("apt-get") is None:
        print(
            "Missing on this system, by Debian's names: "
            f"{', '.join(packages)}; install them and run this again.",
            file=sys.stderr,
        )
        return 1
    prefix = rights()
    if prefix is None:
        command = shlex.join(["sudo", "apt-get", "install", *packages])
        print(f"Run this once, then the same again:\n\n    {command}\n", file=sys.stderr)
        return 1
    print(f"Installing {', '.join(packages)}.", flush=True)
    install(prefix, packages)
    left = look()
    if left:
        print(f"Still missing after installing: {', '.join(left)}.", file=sys.stderr)
    return 1 if left else 0


def rights() -> list[str] | None:
    """What to put before a command so that it runs as root; None where that needs a password."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    asked = sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False)
    return [sudo, "-n"] if sudo and asked and asked.returncode == 0 else None


def install(prefix: list[str], packages: list[str]) -> None:
    """Installs the packages without a question; shows what apt-get says when it fails."""
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        whole = [*prefix, *quiet, *command]
        done = subprocess.run(
            whole, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            print(f"{shlex.join(whole)} failed:\n{done.stdout}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
