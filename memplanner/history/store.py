"""The file that keeps runs and calibrations: SQLite, readable by its owner alone.

It is written ahead (https://www.sqlite.org/wal.html), so that readers and a writer do not wait for
each other and a process that is killed loses nothing that was kept. After each writing a copy is
kept beside it, which takes its place where it is found damaged.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pydantic import ValidationError

from memplanner.errors import HistoryError
from memplanner.history.backup import is_damage, keep_backup, restore_backup, was_emptied
from memplanner.history.schema import NewerFile, migrate
from memplanner.messages.history import CalibrationRecord, RunRecord
from memplanner.writing import why

T = TypeVar("T")
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
        self.notice = ""
        """What happened to the file, as a sentence: it was damaged, and its copy is used."""
        self._changed = False
        with self._told():
            self._connection = self._opened()

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
        """Closes the file, and keeps a copy of it where something was added."""
        if self._changed:
            self._changed = False
            # the file itself is written: without room for a copy, the last one stays
            with suppress(OSError, sqlite3.Error):
                keep_backup(self._connection, self.path)
        self._connection.close()

    def add_run(self, record: RunRecord) -> None:
        """Keeps a run."""
        self._add(
            "INSERT INTO runs (at, card, model, record) VALUES (?, ?, ?, ?)",
            (record.at, record.card, record.model, record.model_dump_json()),
        )

    def add_calibration(self, record: CalibrationRecord) -> None:
        """Keeps a calibration; for its card it counts from now on."""
        self._add(
            "INSERT INTO calibrations (at, card, record) VALUES (?, ?, ?)",
            (record.at, record.card, record.model_dump_json()),
        )

    def _add(self, statement: str, values: tuple[str, ...]) -> None:
        def add(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute(statement, values)

        self._done(add)
        self._changed = True

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        return self._done(lambda connection: connection.execute(query, values).fetchall())

    def _done(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` returns; where the file is found damaged, of its copy."""
        with self._told():
            try:
                return work(self._connection)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._connection.close()
                self._connection = self._restored(error)
                return work(self._connection)

    def _opened(self) -> sqlite3.Connection:
        try:
            if was_emptied(self.path):
                return self._restored(sqlite3.DatabaseError("the file is empty"))
            return _connect(self.path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return self._restored(error)

    def _restored(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        """The copy in the place of a damaged file. Raises ``error`` where there is none."""
        done = restore_backup(self.path)
        if done is None:
            raise error
        self.notice = done
        return _connect(self.path)

    def runs(
        self, card: str | None = None, model: str | None = None, limit: int = 100
    ) -> tuple[RunRecord, ...]:
        """The latest runs, of one card and of one model where they are given."""
        return tuple(run for _, run in self.numbered_runs(card, model, limit))

    def numbered_runs(
        self, card: str | None = None, model: str | None = None, limit: int = 100
    ) -> tuple[tuple[int, RunRecord], ...]:
        """The same, each with its number in this file."""
        rows = self._rows(
            "SELECT id, record FROM runs WHERE (? IS NULL OR card = ?)"
            " AND (? IS NULL OR model = ?) ORDER BY at DESC, id DESC LIMIT ?",
            (card, card, model, model, limit),
        )
        found = []
        for number, text in rows:
            try:
                found.append((number, RunRecord.model_validate_json(text)))
            except ValidationError:
                self.unreadable += 1
        return tuple(found)

    def count_runs(self, card: str | None = None) -> int:
        """How many runs there are, of one card where it is given."""
        query = "SELECT COUNT(*) FROM runs WHERE (? IS NULL OR card = ?)"
        ((count,),) = self._rows(query, (card, card))
        return int(count)

    def calibration(self, card: str) -> CalibrationRecord | None:
        """What was learned last of ``card``; None where nothing was."""
        query = "SELECT record FROM calibrations WHERE card = ? ORDER BY at DESC, id DESC"
        rows = self._rows(query, (card,))
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
        if name.startswith("SQLITE_IOERR"):
            return (
                f"The history {self.path} cannot be read or written since its disk refuses; free "
                "some room there, and look at the disk."
            )
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


def _connect(path: Path) -> sqlite3.Connection:
    """The open file, its tables up to date. Raises as sqlite, ``OSError`` and ``NewerFile``."""
    _own(path)
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS)
    try:
        migrate(connection)
        with suppress(sqlite3.OperationalError):  # another has it open in the older mode
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # what is kept outlives a power cut
    except BaseException:  # closed, and raised again
        connection.close()
        raise
    return connection
