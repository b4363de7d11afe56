"""The file that keeps runs and calibrations: SQLite, readable by its owner alone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from memplanner.errors import HistoryError
from memplanner.history.schema import NewerFile, migrate
from memplanner.messages.history import CalibrationRecord, RunRecord
from memplanner.writing import why

_PATIENCE_SECONDS = 2.0
"""How long another process's writing is waited for."""


def default_path() -> Path:
    """Where the history lies: in the user's data folder."""
    import platformdirs

    return platformdirs.user_data_path("memplanner", appauthor=False) / "history.sqlite3"


class History:
    """Runs and calibrations, the newest first. Use it in a ``with`` block, in one thread.

    Every method raises ``HistoryError`` with a sentence when the file cannot be read or written,
    and leaves what it holds as it was.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_path() if path is None else path
        self.unreadable = 0
        """Rows left out of what was read since they make no sense to this version."""
        with self._told():
            _own(self.path)
            self._connection = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS)
            try:
                migrate(self._connection)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> History:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def add_run(self, record: RunRecord) -> None:
        """Keeps a run."""
        with self._told(), self._connection as connection:
            connection.execute(
                "INSERT INTO runs (at, card, model, record) VALUES (?, ?, ?, ?)",
                (record.at, record.card, record.model, record.model_dump_json()),
            )

    def add_calibration(self, record: CalibrationRecord) -> None:
        """Keeps a calibration; for its card it counts from now on."""
        with self._told(), self._connection as connection:
            connection.execute(
                "INSERT INTO calibrations (at, card, record) VALUES (?, ?, ?)",
                (record.at, record.card, record.model_dump_json()),
            )

    def runs(
        self, card: str | None = None, model: str | None = None, limit: int = 100
    ) -> tuple[RunRecord, ...]:
        """The latest runs, of one card and of one model where they are given."""
        return tuple(run for _, run in self.numbered_runs(card, model, limit))

    def numbered_runs(
        self, card: str | None = None, model: str | None = None, limit: int = 100
    ) -> tuple[tuple[int, RunRecord], ...]:
        """The same, each with its number in this file."""
        with self._told():
            rows = self._connection.execute(
                "SELECT id, record FROM runs WHERE (? IS NULL OR card = ?)"
                " AND (? IS NULL OR model = ?) ORDER BY at DESC, id DESC LIMIT ?",
                (card, card, model, model, limit),
            ).fetchall()
        found = []
        for number, text in rows:
            try:
                found.append((number, RunRecord.model_validate_json(text)))
            except ValidationError:
                self.unreadable += 1
        return tuple(found)

    def count_runs(self, card: str | None = None) -> int:
        """How many runs there are, of one card where it is given."""
        with self._told():
            (count,) = self._connection.execute(
                "SELECT COUNT(*) FROM runs WHERE (? IS NULL OR card = ?)", (card, card)
            ).fetchone()
        return int(count)

    def calibration(self, card: str) -> CalibrationRecord | None:
        """What was learned last of ``card``; None where nothing was."""
        with self._told():
            rows = self._connection.execute(
                "SELECT record FROM calibrations WHERE card = ? ORDER BY at DESC, id DESC", (card,)
            ).fetchall()
        for (text,) in rows:
            try:
                return CalibrationRecord.model_validate_json(text)
            except ValidationError:
                self.unreadable += 1
        return None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong with the file, as a sentence."""
        try:
            yield
        except NewerFile:
            raise HistoryError(
                f"The history {self.path} was written by a newer memplanner; update this one to "
                "use it."
            ) from None
        except OSError as error:
            raise HistoryError(
                f"The history {self.path} cannot be opened ({why(error)}); make it and its folder "
                "writable."
            ) from error
        except sqlite3.Error as error:
            raise HistoryError(self._sentence(error)) from error

    def _sentence(self, error: sqlite3.Error) -> str:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return f"The history {self.path} is in use by another program; try again when it ends."
        if name.startswith("SQLITE_FULL"):
            return f"The history {self.path} cannot be written since the disk is full; free some."
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return f"The history {self.path} cannot be written; make it and its folder writable."
        return f"The history {self.path} is damaged; move it away, and a new one is begun."


def _own(path: Path) -> None:
    """Makes the folder and the file, for the owner alone. Raises ``OSError``."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if os.name == "posix" and os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
