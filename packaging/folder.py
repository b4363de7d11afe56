"""Builds a folder that holds the window without torch, its Python and Qt: copied, it runs.

    python packaging/folder.py [--output FOLDER] [--wheel FILE]

By PyInstaller, which the extra “packages” of the project brings. It is for systems like the one
that it is built on: for Linux, a C library at least as new.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from release import ROOT, epoch
from window_alone import QT_MODULES, QT_TRANSLATIONS, copy_own

ENGINE_ALONE = (
    "torch", "transformers", "accelerate", "peft", "safetensors", "gguf", "bitsandbytes", "torchao",
    "huggingface_hub", "h5py", "scipy", "psutil", "pynvml", "typer", "rich", "PIL", "tokenizers",
)  # fmt: skip
"""What only the engine imports, which runs in another Python."""
NOT_IMPORTED = (
    "tkinter", "IPython", "matplotlib", "OpenGL", "cupy", "pytest", "hypothesis", "mypy",
    "setuptools", "yaml",
    "PySide6.QtNetwork", "PySide6.QtTest",
    "pyqtgraph.examples", "pyqtgraph.opengl", "pyqtgraph.jupyter", "pydantic.mypy", "pydantic.v1",
    "numpy.f2py", "numpy.testing",
)  # fmt: skip
"""What libraries import where it is there, and do without."""
MEBIBYTE = 1024**2


def main() -> int:
    """Builds it; the exit code."""
    parser = argparse.ArgumentParser(description="Build the folder of the window.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="built before; else it is now")
    options = parser.parse_args()
    folder = build(options.output, options.wheel)
    size = sum(path.stat().st_size for path in folder.rglob("*") if not path.is_symlink())
    print(f"{folder} ({size / MEBIBYTE:.0f} MiB)")
    return 0


def build(output: Path, wheel: Path | None = None) -> Path:
    """Builds the folder ``memplanner`` in ``output``; its path."""
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch) / "own"
        copy_own(own, "pyinstaller", wheel)
        command = [
            sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR",
            "--onedir", "--name", "memplanner",
            "--distpath", str(output.resolve()), "--workpath", str(Path(scratch) / "work"),
            "--specpath", scratch, "--paths", str(own),
        ]  # fmt: skip
        for part in sorted(own.iterdir()):
            # as files: the window sends its engine to the Python that it runs in
            command += ["--add-data", f"{part}{os.pathsep}{part.name}"]
        for module in QT_MODULES:  # pyqtgraph imports some by their names
            command += ["--hidden-import", f"PySide6.{module}"]
        for module in (*ENGINE_ALONE, *NOT_IMPORTED):
            command += ["--exclude-module", module]
        command.append(str(ROOT / "packaging" / "start.py"))
        environment = {
            **os.environ,
            "PYTHONPATH": str(own),  # its metadata, not the environment's
            "PYTHONHASHSEED": "1",
            "SOURCE_DATE_EPOCH": str(epoch()),
        }
        subprocess.run(command, cwd=scratch, env=environment, check=True)
    folder = output / "memplanner"
    for file in (folder / "_internal" / "PySide6" / "Qt" / "translations").iterdir():
        if file.name not in QT_TRANSLATIONS:  # PyInstaller brings those of every language
            file.unlink()
    return folder


if __name__ == "__main__":
    sys.exit(main())
