"""The Python that runs an engine when none has been chosen."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

BY_ITSELF = {"dpkg", "pyinstaller"}
"""Installers, as the program's metadata names them, of packages that hold the window alone."""
PYTHON = Path("Scripts", "python.exe") if os.name == "nt" else Path("bin", "python")


@cache
def is_alone() -> bool:
    """Whether the window came without the engine's packages: it brings its engine to a Python."""
    try:
        installer = distribution("memplanner").read_text("INSTALLER") or ""
    except PackageNotFoundError:
        return False
    return installer.strip() in BY_ITSELF


def own_python(environ: Mapping[str, str] = os.environ) -> str:
    """This program's own Python; of a window that came alone, the active environment's.

    Where no environment is active, it is the Python that a terminal would start.
    """
    if not is_alone():
        return sys.executable
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = Path(environ.get(variable, ""), PYTHON)
        if environ.get(variable) and os.access(python, os.X_OK):
            return str(python)
    return shutil.which("python3") or "python3"
