"""A pickle's stack, and the plain values that its opcodes put there."""

from __future__ import annotations

import mmap
import struct
from typing import Any

from memplanner.model.pickle_bytes import PickleBytes

_LONGEST_NUMBER, _LONGEST_DECIMAL = 64, 400


class PickleStack(PickleBytes):
    """Values in the order in which a pickle makes them, with its marks among them."""

    def __init__(self, data: bytes | mmap.mmap, origin: str) -> None:
        super().__init__(data, origin)
        self._stack: list[Any] = []
        self._marks: list[int] = []
        """How high the stack was at each mark."""

    def _pop(self) -> Any:
        self._top()
        return self._stack.pop()

    def _top(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise self._damaged("a value too few")
        return self._stack[-1]

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _to_mark(self) -> list[Any]:
        if not self._marks:
            raise self._damaged("no mark")
        place = self._marks.pop()
        found = self._stack[place:]
        del self._stack[place:]
        return found

    # Values

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _counted_text(self, form: struct.Struct) -> None:
        self._push(self._text(self._take(self._number(form))))

    def _counted_bytes(self, form: struct.Struct) -> None:
        self._push(self._take(self._number(form)))

    def _long(self, form: struct.Struct) -> None:
        length = self._number(form)
        if length > _LONGEST_NUMBER:
            raise self._damaged(f"a number of {length} bytes")
        self._push(int.from_bytes(self._take(length), "little", signed=True))

    def _decimal(self) -> None:
        line = self._line().removesuffix("L")
        if line in ("00", "01"):  # how protocol 0 writes booleans
            self._push(line == "01")
            return
        if len(line) > _LONGEST_DECIMAL:
            raise self._damaged(f"a number of {len(line)} digits")
        try:
            self._push(int(line))
        except ValueError as error:
            raise self._damaged("a number that is none") from error

    def _decimal_float(self) -> None:
        line = self._line()
        try:
            self._push(float(line[:_LONGEST_DECIMAL]))
        except ValueError as error:
            raise self._damaged("a number that is none") from error

    def _quoted(self) -> None:
        self._push(self._line().strip("'\""))
