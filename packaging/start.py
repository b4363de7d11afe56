#!/usr/bin/python3 -I
"""Starts the window of a package that comes without torch, and so without the terminal."""

import os
import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[1] / "lib" / "memplanner"
"""Where the Debian package has what it brings along."""

if PACKAGES.is_dir():  # PyInstaller's program is one with its packages
    sys.path.insert(0, str(PACKAGES))
if getattr(sys, "frozen", False):  # what PyInstaller adds for itself is not for engines
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        os.environ["LD_LIBRARY_PATH"] = before

from memplanner import __version__  # noqa: E402  (found only now)
from memplanner_ui.start import main  # noqa: E402  (as above)

WINDOW_ALONE = (
    "This memplanner is the window alone, opened with “memplanner gui”; the terminal's commands "
    "come with “pip install memplanner”."
)


def run(arguments: list[str]) -> int:
    """Opens the window as ``memplanner gui`` does; the exit code."""
    if arguments == ["--version"]:
        print(f"memplanner {__version__}")
        return 0
    if arguments and arguments[0] != "gui":
        print(WINDOW_ALONE, file=sys.stderr)
        return 2
    return main(arguments[1:])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
