"""What a signal such as a segmentation fault leaves: where Python was, written as it happens.

Each window has a file of its own while it is open, in which ``faulthandler`` writes what ends it.
A window that ends in order removes it; one that was killed from outside leaves it empty.
"""

from __future__ import annotations

import faulthandler
import os
import uuid
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QLockFile

from memplanner_ui.recovery_files import lock_of

LARGEST_BYTES = 2**20
"""A trace has some kilobytes for each thread."""


class NativeTrace:
    """This window's file in ``folder``, and those of windows that are gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{uuid.uuid4().hex}.trace"
        self._lock: QLockFile | None = None
        self._file: int | None = None

    def begin(self) -> None:
        """From here on traces go to this window's file. Raises ``OSError``.

        Not where somebody has asked Python for them already, as by ``-X faulthandler``.
        """
        if faulthandler.is_enabled():
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock_of(self._path)
        self._lock.tryLock(0)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        faulthandler.enable(self._file)

    def end(self) -> None:
        """The window closes in order."""
        if self._file is None or self._lock is None:
            return
        faulthandler.disable()
        os.close(self._file)
        self._file = None
        with suppress(OSError):  # it is empty, and the next window removes it
            self._path.unlink()
        self._lock.unlock()

    def left_behind(self) -> str:
        """The last trace of windows that are gone; all of theirs are removed."""
        found: list[tuple[float, str]] = []
        for path in self._folder.glob("*.trace"):
            lock = lock_of(path)
            if path == self._path or not lock.tryLock(0):
                continue
            with suppress(OSError):
                found.append((path.stat().st_mtime, _read(path)))
                path.unlink()
            lock.unlock()
        return max((one for one in found if one[1]), default=(0.0, ""))[1]


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES).decode(errors="replace").strip()
