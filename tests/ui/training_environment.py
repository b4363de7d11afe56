"""A Python as trainers have it: torch and transformers, and no memplanner."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

_LEFT_OUT = ("memplanner", "__editable__", "pyside6", "shiboken6", "pyqtgraph", "typer", "rich")


def make(folder: Path) -> Path:
    """The interpreter of a new environment: what this one has, without us and without Qt."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.lower().startswith(_LEFT_OUT) and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    return folder / "bin" / "python"
