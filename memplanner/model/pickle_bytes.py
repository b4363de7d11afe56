"""The bytes of a pickle: every length is checked against what is left before anything is taken."""

from __future__ import annotations

import mmap
import struct
from typing import Any

from memplanner.errors import SourceError


class PickleBytes:
    """Takes numbers, lines and texts from ``data``, one after the other.

    Raises ``SourceError`` that names ``origin`` where less is left than is asked for.
    """

    def __init__(self, data: bytes | mmap.mmap, origin: str) -> None:
        self._data, self._origin = data, origin
        self._place, self._size = 0, len(data)

    def _damaged(self, what: str) -> SourceError:
        return SourceError(
            f"{self._origin} is cut off or damaged: it has {what} at byte {self._place}; save it "
            "again."
        )

    def _take(self, count: int) -> bytes:
        if count < 0 or count > self._size - self._place:
            raise self._damaged(f"a text of {count} bytes")
        start = self._place
        self._place += count
        return self._data[start : self._place]

    def _number(self, form: struct.Struct) -> Any:
        return form.unpack(self._take(form.size))[0]

    def _line(self, encoding: str = "utf-8") -> str:
        stop = self._data.find(b"\n", self._place)
        if stop < 0:
            raise self._damaged("a line without an end")
        line = self._take(stop - self._place)
        self._place += 1
        return self._text(line, encoding)

    def _text(self, raw: bytes, encoding: str = "utf-8") -> str:
        errors = "surrogatepass" if encoding == "utf-8" else "strict"
        try:
            return raw.decode(encoding, errors)
        except UnicodeDecodeError as error:
            raise self._damaged("a text in no known encoding") from error
