"""The copy of a history that is kept beside it, and how it takes a damaged file's place."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is broken."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(tuple(_DAMAGED))


def backup_path(path: Path) -> Path:
    """Where the copy of the history ``path`` lies."""
    return path.with_name(f"{path.stem}.backup{path.suffix}")


def was_emptied(path: Path) -> bool:
    """Whether a file of no bytes is there where a copy shows that there was a history."""
    try:
        return path.stat().st_size == 0 and _whole_file(backup_path(path))
    except FileNotFoundError:
        return False


def is_whole(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds nothing wrong: pages, rows and indices, not what rows say."""
    try:
        return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return False
        raise


def keep_backup(connection: sqlite3.Connection, path: Path) -> bool:
    """Copies a history that is whole over its last copy; whether it did.

    The copy is written under another name, flushed and renamed. Raises ``OSError`` and
    ``sqlite3.Error``, and leaves the last copy as it was.
    """
    if not is_whole(connection):
        return False
    copy = backup_path(path)
    new = copy.with_name(f".{copy.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(new)) as target:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        with open(new, "rb+") as file:
            os.fsync(file.fileno())
        new.replace(copy)
    finally:
        new.unlink(missing_ok=True)
    return True


def restore_backup(path: Path) -> str | None:
    """Puts the copy in the place of a damaged history, which is kept under another name.

    Returns what was done, as a sentence; None where there is no copy that is whole, and then
    nothing is changed. Another process may have done it a moment ago. Raises ``OSError``.
    """
    copy = backup_path(path)
    if _whole_file(path):
        return f"The history {path} was damaged and has been replaced by its copy."
    if not _whole_file(copy):
        return None
    when = datetime.fromtimestamp(copy.stat().st_mtime).strftime("%d %b %Y, %H:%M")
    damaged = path.with_name(f"{path.stem}.damaged{path.suffix}")
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(copy.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        path.replace(damaged)
        for beside in ("-wal", "-shm"):  # they are of the damaged file
            with suppress(FileNotFoundError):
                path.with_name(path.name + beside).unlink()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return (
        f"The history {path} was damaged, so its copy of {when} is used from now on; the damaged "
        f"file is kept as {damaged.name}."
    )


def _whole_file(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as found:
            tables = found.execute("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'runs'")
            return tables.fetchone() == (1,) and is_whole(found)
    except sqlite3.Error:
        return False
