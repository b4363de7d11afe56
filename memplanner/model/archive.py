"""Zip archives that models come in: their list of members, and a member that is not compressed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from memplanner.errors import SourceError
from memplanner.model.reading import reason

MAGIC = b"PK\x03\x04"
MOST_MEMBERS = 2**18
"""torch writes a member for each storage."""
LARGEST_LIST_BYTES = 24 * 2**20
"""Of the list of members, which is read whole before anything else."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others' decompressors give as much as there is, however little is asked for."""
_DAMAGE = (
    OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError,
    OverflowError, zlib.error,
)  # fmt: skip
"""What ``zipfile`` raises for an archive that contradicts itself."""


class Archive:
    """An open archive. Nothing is unpacked but what ``read`` is asked for."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path, self._file = path, file
        self.sizes_bytes = {each.filename: each.file_size for each in file.infolist()}

    def read(self, name: str, largest_bytes: int) -> bytes:
        """The member ``name``, of at most ``largest_bytes``. Raises ``SourceError``."""
        info = self._file.getinfo(name)
        if info.file_size > largest_bytes:
            raise SourceError(
                f"{self.path} holds {name} of {info.file_size} bytes, more than such a part needs; "
                "name another file."
            )
        if info.compress_type not in _METHODS:
            raise SourceError(
                f"{self.path} holds {name} compressed in a way that no model's is; save it again."
            )
        try:
            with self._file.open(info) as member:
                data = member.read(info.file_size + 1)
        except _DAMAGE as error:
            raise _damaged(self.path, str(error)) from error
        if len(data) != info.file_size:
            raise _damaged(self.path, f"{name} is not as long as its entry says")
        return data

    @contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """The member ``name`` as a file that can be searched, which a compressed one cannot.

        Raises ``SourceError``.
        """
        info = self._file.getinfo(name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise SourceError(
                f"{self.path} holds {name} compressed; unpack it, and open that file."
            )
        try:
            with self._file.open(info) as file:
                yield file
        except _DAMAGE as error:
            raise _damaged(self.path, str(error)) from error


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive ``path``. Raises ``SourceError`` where it is none."""
    try:
        data = _Bounded(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error
    with data:
        try:
            file = zipfile.ZipFile(data)
        except _DAMAGE as error:
            raise _damaged(path, str(error)) from error
        data.largest_bytes = -1
        if len(file.infolist()) > MOST_MEMBERS:
            raise SourceError(f"{path} has more members than a model needs; name another file.")
        yield Archive(path, file)


class _Bounded(io.FileIO):
    """A file that gives no more at once than a list of members has, until that is read."""

    largest_bytes = LARGEST_LIST_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file. Raises ``BadZipFile`` where more is asked for."""
        if size is not None and 0 < self.largest_bytes < size:
            raise zipfile.BadZipFile(f"its list of members would have {size} bytes")
        return super().read(-1 if size is None else size) or b""


def _damaged(path: Path, why: str) -> SourceError:
    return SourceError(f"{path} is no whole archive ({why[:120]}); save or download it again.")
