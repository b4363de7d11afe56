"""Plans that no file has, kept until their windows end in order: one file for each window.

A lock beside each file tells whose window is still open, so that two never take each other's.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from PySide6.QtCore import QLockFile

from memplanner.writing import write_whole

LARGEST_BYTES = 2**20
"""A plan is some kilobytes; what is larger was not written by a window."""
KEPT_SECONDS = 60 * 86400
"""What nobody asked for in two months is removed."""


class UnsavedPlan(BaseModel):
    """A plan with edits, and what it is the plan of."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    inputs: tuple[str, ...] = ()
    model: str
    """Its name."""
    plan: dict[str, Any]
    """As a plan's file has it."""
    plan_file: str = ""
    """Where the plan before the edits is; empty where no file has it."""
    changes: int = 1
    last_change: str = ""
    written: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What a window left that did not end in order; no other window offers it now."""

    unsaved: UnsavedPlan
    path: Path
    lock: QLockFile


class RecoveryFiles:
    """The folder of all windows, and this window's file in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{uuid.uuid4().hex}.json"
        self._lock: QLockFile | None = None

    @property
    def path(self) -> Path:
        """This window's file; it exists while the window has a plan that no file has."""
        return self._path

    def keep(self, unsaved: UnsavedPlan) -> None:
        """Writes this window's file. Raises ``OSError``."""
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = lock_of(self._path)
            self._lock.tryLock(0)
        write_whole(self._path, unsaved.model_dump_json(), private=True)

    def forget(self) -> None:
        """Removes this window's file: its plan is saved, or not wanted."""
        self._path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.unlock()
            self._lock = None

    def left_behind(self) -> list[LeftBehind]:
        """What windows that are gone have left, the last first. Old files are removed."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            lock = lock_of(path)
            if path == self._path or not lock.tryLock(0):
                continue
            unsaved = _read(path)
            if unsaved is not None and time.time() - unsaved.written < KEPT_SECONDS:
                found.append(LeftBehind(unsaved, path, lock))
                continue
            with suppress(OSError):
                path.unlink()
            lock.unlock()
        return sorted(found, key=lambda left: -left.unsaved.written)

    @staticmethod
    def discard(left: LeftBehind) -> None:
        """Removes what was left: it is taken over, or not wanted. Raises ``OSError``."""
        left.path.unlink(missing_ok=True)
        left.lock.unlock()


def lock_of(path: Path) -> QLockFile:
    """The lock beside a window's file, which ends with its process."""
    lock = QLockFile(str(path.with_suffix(".lock")))
    lock.setStaleLockTime(0)  # a window may be open for days; one that is gone is told by its id
    return lock


def _read(path: Path) -> UnsavedPlan | None:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return None
        return UnsavedPlan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
