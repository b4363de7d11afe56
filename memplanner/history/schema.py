"""The tables, and how an older file is brought to them."""

from __future__ import annotations

import sqlite3

MIGRATIONS = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        card TEXT NOT NULL,
        model TEXT NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX runs_of_a_card ON runs (card, at);
    CREATE INDEX runs_of_a_model ON runs (model, at);
    CREATE TABLE calibrations (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        card TEXT NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX calibrations_of_a_card ON calibrations (card, at);
    """,
)
"""Each brings a file from one version to the next; a new version is a new entry at the end."""

VERSION = len(MIGRATIONS)


class NewerFile(Exception):  # noqa: N818  (it says what is found)
    """The file was written by a later version of this program."""


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the tables to ``VERSION``, each step whole or not at all.

    The version is SQLite's ``user_version``: 0 in a new file. Raises ``NewerFile``.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > VERSION:
        raise NewerFile
    for version in range(found, VERSION):
        script = f"BEGIN IMMEDIATE; {MIGRATIONS[version]} PRAGMA user_version = {version + 1};"
        try:
            connection.executescript(f"{script} COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            (now,) = connection.execute("PRAGMA user_version").fetchone()
            if now <= version:  # else another process has just taken the same step
                raise
