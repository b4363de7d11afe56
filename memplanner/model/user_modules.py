"""The user's own modules, imported anew once one of their files has changed.

Python imports a module once in a process. An engine lives as long as the window, in which a
model's file is edited and opened again; without this it would tell the figures of the old one.
"""

from __future__ import annotations

import importlib
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_Stamp = tuple[int, int, int] | None
"""Inode, size in bytes and time of the last change in nanoseconds; None where there is no file."""

_imported: dict[str, tuple[Path, _Stamp]] = {}
"""The modules that opening models brought in, with their files as they were then."""


@contextmanager
def imported_anew() -> Iterator[None]:
    """Within it, what the user's programs import is what their files hold now.

    If one file changed, all the user's modules are forgotten: those that stayed the same may hold
    names of the one that did not. Nothing is written beside them either, since a compiled file
    is told from its source by the second alone.
    """
    if any(_stamp(path) != stamp for path, stamp in _imported.values()):
        for name in _imported:
            sys.modules.pop(name, None)
        _imported.clear()
    importlib.invalidate_caches()  # or a file that was made just now is not found
    before = set(sys.modules)
    wrote_nothing = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = wrote_nothing
        for name in sys.modules.keys() - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and not _is_installed(Path(file)):
                _imported[name] = (Path(file), _stamp(Path(file)))


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_installed(path: Path) -> bool:
    """Whether the file belongs to Python, to a package that pip keeps, or to memplanner."""
    folders = (
        sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"),
        site.getusersitepackages(), str(Path(__file__).parents[1]),
    )  # fmt: skip
    return any(path.is_relative_to(folder) for folder in folders)
