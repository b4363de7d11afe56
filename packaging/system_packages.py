"""Debian packages that the window and its tests need.

    python3 packaging/system_packages.py [--environment | --tests]

Looks for the libraries themselves, so any system that has them passes. What is missing is
installed where that needs no password, and else the one command that installs it is printed. Runs
before there is an environment: the standard library only.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "ui"))
from memplanner_ui.system_libraries import (
    LIBRARIES,
    install_command,
    missing_libraries,
    this_distribution,
)

OLDEST_PYTHON = (3, 11)

PROGRAMS = {
    "appstream": "appstreamcli",
    "desktop-file-utils": "desktop-file-validate",
    "openbox": "openbox",
    "openssh-client": "ssh",
    "openssh-server": "sshd",
    "shared-mime-info": "update-mime-database",
    "xdg-utils": "xdg-mime",
    "xvfb": "Xvfb",
}
"""What tests open real windows in, check the desktop's files with and reach an engine over."""

SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"
"""Where servers are; a user's PATH need not have it."""

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
    packages = list({LIBRARIES[name].debian for name in missing_libraries()})
    if tests:
        packages += [name for name, program in PROGRAMS.items() if not has_program(program)]
        packages += [name for name, family in FONTS.items() if not has_font(family)]
    return sorted(packages)


def has_program(name: str) -> bool:
    """Whether the program is in the PATH, or where the system keeps its servers."""
    return bool(shutil.which(name) or shutil.which(name, path=SYSTEM_FOLDERS))


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
        command = install_command(missing_libraries(), this_distribution())
        print(
            "Missing on this system, by Debian's names: "
            f"{', '.join(packages)}; install them and run this again."
            + (f" The libraries: {command}" if command else ""),
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
