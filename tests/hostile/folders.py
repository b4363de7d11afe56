"""A folder as bytes: what can be damaged like a file, laid out for a reader, and kept.

The first line says what is opened in it (nothing: the folder itself) and what the folder is
called. Each further line is an entry: ``file``, ``link``, ``folder`` or ``pipe``, and its name.
What a file holds, or a link leads to, comes after the lines, entry by entry, each after
``BETWEEN``. Names are written as in a URL. Any bytes are some folder, so any damage is a case.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

BETWEEN = b"\n\0=\0\n"
KINDS = ("file", "link", "folder", "pipe")
MOST_ENTRIES = 16
CALLED = b"m"
"""The folder, where nothing else is said."""


class Entry(NamedTuple):
    """One thing in a folder."""

    kind: str
    name: bytes
    data: bytes = b""
    """Of a file; of a link, where it leads."""


def pack(entries: Iterable[Entry], opens: bytes = b"", called: bytes = CALLED) -> bytes:
    """The folder ``called``, of which ``opens`` is opened."""
    entries = list(entries)
    lines = [_quoted(opens) + b" " + _quoted(called)]
    lines += [one.kind.encode() + b" " + _quoted(one.name) for one in entries]
    return BETWEEN.join([b"\n".join(lines), *(one.data for one in entries)])


def unpack(data: bytes) -> tuple[bytes, bytes, list[Entry]]:
    """What is opened, what the folder is called, and its entries, each name once."""
    lines, *parts = data.split(BETWEEN, MOST_ENTRIES)
    opens, called, heads = _heads(lines)
    found = {
        name: Entry(kind, name, parts[place] if place < len(parts) else b"")
        for place, (kind, name) in enumerate(heads)
    }
    return opens, called, list(found.values())


@lru_cache(maxsize=64)
def _heads(lines: bytes) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    first, *others = lines.split(b"\n")
    opens, _, called = first.partition(b" ")
    heads = []
    for line in others[:MOST_ENTRIES]:
        kind, _, name = line.partition(b" ")
        known = kind.decode("ascii", "replace")
        heads.append((known if known in KINDS else "file", _name(name) or b"x"))
    return _name(opens), _name(called) or CALLED, heads


def _quoted(name: bytes) -> bytes:
    return quote_from_bytes(name, safe="").encode()


def _name(quoted: bytes) -> bytes:
    """One step of a path, as long as the system takes it; empty where it would lead elsewhere."""
    name = unquote_to_bytes(quoted).replace(b"/", b"").replace(b"\0", b"")[:255]
    return b"" if name in (b".", b"..") else name


class Laid:
    """A folder on disk that becomes one case after the other: only what differs is written."""

    def __init__(self, below: Path) -> None:
        self._below = os.fsencode(below)
        self._called = CALLED
        self._lies: dict[bytes, Entry] = {}
        os.makedirs(self._path(), exist_ok=True)

    def become(self, called: bytes, entries: list[Entry]) -> Path:
        """The folder, with ``entries`` and nothing else in it."""
        if called != self._called:
            before, self._called = self._path(), called
            os.rename(before, self._path())
        wanted = {one.name: one for one in entries}
        for name in [name for name, lies in self._lies.items() if _other(wanted.get(name), lies)]:
            self._remove(self._lies.pop(name))
        for entry in entries:
            if self._lies.get(entry.name) != entry:
                self._make(entry)
                self._lies[entry.name] = entry
        return Path(os.fsdecode(self._path()))

    def _path(self, name: bytes = b"") -> bytes:
        return os.path.join(self._below, self._called, name)

    def _remove(self, entry: Entry) -> None:
        path = self._path(entry.name)
        if entry.kind == "folder":
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def _make(self, entry: Entry) -> None:
        path = self._path(entry.name)
        if entry.kind == "folder":
            os.mkdir(path)
        elif entry.kind == "pipe":
            os.mkfifo(path)
        elif entry.kind == "link":
            os.symlink(entry.data.replace(b"\0", b"")[:200] or b"x", path)
        else:
            with open(path, "wb", buffering=0) as file:
                file.write(entry.data)


def _other(wanted: Entry | None, lies: Entry) -> bool:
    """Whether ``lies`` must go first: a file is written over, anything else is made anew."""
    if wanted is None or wanted.kind != lies.kind:
        return True
    return wanted.kind != "file" and wanted != lies


@cache
def _laid(below: Path) -> Laid:
    below.mkdir(exist_ok=True)
    return Laid(below)


def opened(path: Path) -> Path:
    """What is to be opened of the folder that the bytes in ``path`` are, laid out beside it."""
    opens, called, entries = unpack(path.read_bytes())
    folder = _laid(path.with_name("laid")).become(called, entries)
    return folder / os.fsdecode(opens) if opens else folder
