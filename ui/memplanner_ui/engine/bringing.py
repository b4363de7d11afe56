"""The window's own engine as one archive, for a Python that has none of its version."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from memplanner_ui.engine import bootstrap

NOT_BROUGHT = {"__pycache__", "icons", "style"}
"""Folders that only the window reads."""
ENDINGS = (".py", ".json", ".txt", ".j2", ".typed")


@cache
def bootstrap_arguments() -> tuple[str, ...]:
    """What the other Python is given: the program that takes the engine in, and its digest."""
    program = (files("memplanner_ui.engine") / "bootstrap.py").read_text("utf-8")
    return ("-P", "-c", program, digest())


@cache
def digest() -> str:
    """What tells this engine from every other: of its files' names and contents."""
    found = hashlib.sha256()
    for name, content in _contents():
        found.update(f"{name}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()[:24]


def delivery() -> bytes:
    """What answers a bootstrap that wants the engine: the archive's length, a line, then it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _contents():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 1)
    data = stream.getvalue()
    return f"{len(data)}\n".encode() + data


def is_answer(line: bytes) -> bool | None:
    """Whether a line of the bootstrap wants the engine or has it; None for any other line."""
    text = line.decode("utf-8", "replace")
    if text.endswith(bootstrap.WANTED):  # what a start-up file has printed may stand before
        return True
    return False if text.endswith(bootstrap.THERE) else None


def _contents() -> list[tuple[str, bytes]]:
    """The files of ``memplanner``, its resources among them, by their path, in order."""
    found = _below(files("memplanner"), "memplanner")
    found |= _below(files("memplanner.resources"), "memplanner/resources")
    return sorted(found.items())


def _below(folder: Traversable, path: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        if entry.is_dir() and entry.name not in NOT_BROUGHT:
            found |= _below(entry, name)
        elif entry.name.endswith(ENDINGS):
            found[name] = entry.read_bytes()
    return found
