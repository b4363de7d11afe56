"""A pickle read as data: nothing is imported, nothing is called.

The opcodes are those of ``pickletools``. Numbers, text, lists, dictionaries, tuples and sets come
out as they are; what unpickling would import or call comes out as a :class:`Name` or a
:class:`Made`, which say so and do nothing. Every length is checked against what is left, and the
values that are made are counted, so a file cannot ask for more memory than its reader grants.
"""

from __future__ import annotations

import mmap
import struct
import sys
from collections.abc import Callable
from typing import Any

from memplanner.errors import SourceError
from memplanner.garbage import without_collection
from memplanner.model.pickle_stack import PickleStack
from memplanner.model.plain_values import Made, Name, Persistent

MOST_VALUES = 2**22
"""A checkpoint of a model with 10 000 tensors has some 300 000."""
NEWEST_PROTOCOL = 5


def read_plain(data: bytes, origin: str, *, most_values: int = MOST_VALUES) -> Any:
    """The value that the pickle ``data`` describes. Raises ``SourceError`` where it is none."""
    with without_collection():
        return PlainReader(data, origin, most_values).read()


class PlainReader(PickleStack):
    """Reads one pickle. A subclass may take values out of lists as they come."""

    def __init__(self, data: bytes | mmap.mmap, origin: str, most_values: int) -> None:
        super().__init__(data, origin)
        self._memo: list[Any] = []
        self._memo_beyond: dict[int, Any] = {}  # at places that did not follow one another
        self._left, self._wide_keys = most_values, 0
        self._kept = 0  # in containers; others are on the stack or in the memo

    def read(self) -> Any:
        """The value. Raises ``SourceError``."""
        data, size, steps, common = self._data, self._size, _STEPS, self._common
        stack, memo, most = self._stack, self._memo, self._most_kept()
        alone = 0  # opcodes to take one by one, where none of the common ones stood
        while self._place < size:
            if alone:
                alone -= 1
            else:
                first, self._place = self._place, common(data, self._place, size)
                alone = 0 if self._place > first else _ALONE
                if self._place >= size:
                    break
            code = data[self._place]
            self._place += 1
            if code == _STOP:
                return self._pop()
            step = steps[code]
            if step is None:
                raise self._damaged(f"the opcode {code:#04x}, which no such file has")
            self._left -= 1
            if self._left < 0:
                raise self._too_many()
            step(self)
            if self._kept + len(stack) + len(memo) > most:
                most = self._most_kept()  # it grows with the place
                if self._kept + len(stack) + len(memo) > most:
                    raise self._too_many()
        raise self._damaged("no end")

    def _most_kept(self) -> int:
        """How many values may be alive at this place; none are more than are made."""
        return sys.maxsize

    def _common(self, data: bytes | mmap.mmap, place: int, size: int) -> int:
        """Takes the opcodes that files are full of, and returns where another one stands.

        What each does is what its step does; here it costs no call. Nine bytes are never missed.
        """
        stack, memo, marks = self._stack, self._memo, self._marks
        push, first, last = stack.append, place, min(size - 9, place + _STRETCH)
        in_order = not self._memo_beyond
        while place < last:
            code = data[place]
            if code == 0x68:  # BINGET
                number = data[place + 1]
                if number >= len(memo):
                    break
                push(memo[number])
                place += 2
            elif code == 0x6A:  # LONG_BINGET
                number = int.from_bytes(data[place + 1 : place + 5], "little")
                if number >= len(memo):
                    break
                push(memo[number])
                place += 5
            elif code == 0x4A:  # BININT
                push(int.from_bytes(data[place + 1 : place + 5], "little", signed=True))
                place += 5
            elif code == 0x8A and data[place + 1] <= 7:  # LONG1
                stop = place + 2 + data[place + 1]
                push(int.from_bytes(data[place + 2 : stop], "little", signed=True))
                place = stop
            elif code == 0x4B:  # BININT1
                push(data[place + 1])
                place += 2
            elif code == 0x4D:  # BININT2
                push(data[place + 1] | data[place + 2] << 8)
                place += 3
            elif code == 0x94 and stack and in_order:  # MEMOIZE
                memo.append(stack[-1])
                place += 1
            elif code == 0x28:  # MARK
                marks.append(len(stack))
                place += 1
            elif code == 0x5D:  # EMPTY_LIST
                push([])
                place += 1
            elif code == 0x7D:  # EMPTY_DICT
                push({})
                place += 1
            else:
                break
        self._left -= place - first
        if self._left < 0:
            raise self._too_many()
        return place

    def _too_many(self) -> SourceError:
        return SourceError(
            f"{self._origin} describes more values than memplanner reads; name another file."
        )

    # Containers

    def _append(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, Made):  # a list's subclass: what is in it does not matter here
            return
        if not isinstance(target, list):
            raise self._damaged("items of what is no list")
        target += values
        self._kept += len(values)

    def _set(self, values: list[Any]) -> None:
        target = self._top()
        table = target.items if isinstance(target, Made) else target
        if not isinstance(table, dict) or len(values) % 2:
            raise self._damaged("items of what is no dictionary")
        keys = values[::2]
        if set(map(type, keys)) != {str}:
            keys = [self._key(key) for key in keys]
        table.update(zip(keys, values[1::2], strict=True))
        self._kept += len(values)

    def _set_one(self) -> None:
        value = self._pop()
        key = self._pop()
        self._set([key, value])

    def _key(self, key: Any) -> Any:
        if isinstance(key, int) and key.bit_length() > 64:
            # any number of these can share a hash, and a table of them takes for ever
            self._wide_keys += 1
            if self._wide_keys > _MOST_WIDE_KEYS:
                raise self._damaged("too many keys of more than 64 bits")
        if isinstance(key, str | int | float | bytes | None | Name):
            return key
        if isinstance(key, tuple) and len(key) <= _WIDEST_KEY:
            # a tuple within may hold another twice, and so on, which takes for ever to visit
            return tuple(
                Made("tuple", None) if isinstance(part, tuple) else self._key(part) for part in key
            )
        raise self._damaged("a key that is no name or number")

    def _whole(self, container: Callable[[list[Any]], Any]) -> None:
        values = self._to_mark()
        self._kept += len(values)
        self._push(container(values))

    def _tuple(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self._kept += count
        self._push(tuple(reversed(values)))

    def _dictionary(self) -> None:
        values = self._to_mark()
        self._push({})
        self._set(values)

    # The memo

    def _remember(self, place: int | None = None) -> None:
        memo, beyond = self._memo, self._memo_beyond
        place = len(memo) + len(beyond) if place is None else place
        if place < len(memo):
            memo[place] = self._top()
        elif place == len(memo) and not beyond:
            memo.append(self._top())
        else:
            self._kept += place not in beyond
            beyond[place] = self._top()

    def _recall(self, place: int) -> None:
        memo = self._memo
        if place >= len(memo) and place not in self._memo_beyond:
            raise self._damaged(f"the value {place}, which was not made")
        self._push(memo[place] if place < len(memo) else self._memo_beyond[place])

    def _place_of_line(self) -> int:
        line = self._line()
        if not line.isdecimal() or len(line) > _LONGEST_PLACE:
            raise self._damaged("a place that is no number")
        return int(line)

    # What would be imported or called

    def _name(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self._damaged("a name that is no text")
        self._push(Name(module, name))

    def _line_name(self) -> None:
        module = self._line()
        self._name(module, self._line())

    def _stack_name(self) -> None:
        name = self._pop()
        self._name(self._pop(), name)

    def _call(self) -> None:
        arguments = self._pop()
        self._make(self._pop(), arguments)

    def _new_with_names(self) -> None:
        named = self._pop()
        arguments = self._pop()
        self._make(self._pop(), (arguments, named))

    def _instance(self) -> None:
        arguments = tuple(self._to_mark())
        module = self._line()
        self._kept += len(arguments)
        self._make(Name(module, self._line()), arguments)

    def _object(self) -> None:
        call, *arguments = self._to_mark() or [None]
        self._kept += len(arguments)
        self._make(call, tuple(arguments))

    def _make(self, call: Any, arguments: Any) -> None:
        self._kept += 2
        self._push(Made(call, arguments))

    def _build(self) -> None:
        state = self._pop()
        target = self._top()
        if isinstance(target, Made):
            target.state = state
            self._kept += 1

    def _persistent(self) -> None:
        self._kept += 1
        self._push(Persistent(self._pop()))

    def _protocol(self) -> None:
        number = self._take(1)[0]
        if number > NEWEST_PROTOCOL:
            raise SourceError(
                f"{self._origin} is a pickle of protocol {number}, and memplanner reads up to "
                f"{NEWEST_PROTOCOL}; save it with an older one."
            )


_U1, _U2, _U4, _U8 = (struct.Struct(form) for form in ("<B", "<H", "<I", "<Q"))
_I4, _DOUBLE = struct.Struct("<i"), struct.Struct(">d")
_MOST_WIDE_KEYS = 1024
_STRETCH = 2**18  # bytes after which what is kept is counted at the latest
_ALONE = 15
_LONGEST_PLACE, _WIDEST_KEY = 9, 16
_STOP = ord(".")

_Step = Callable[[PlainReader], object]
_BY_OPCODE: dict[bytes, _Step] = {
    b"\x80": PlainReader._protocol,
    b"\x95": lambda at: at._number(_U8),
    b"(": PlainReader._mark,
    b"0": PlainReader._pop,
    b"1": PlainReader._to_mark,
    b"2": lambda at: at._push(at._top()),
    b"N": lambda at: at._push(None),
    b"\x88": lambda at: at._push(True),
    b"\x89": lambda at: at._push(False),
    b"I": PlainReader._decimal,
    b"L": PlainReader._decimal,
    b"J": lambda at: at._push(at._number(_I4)),
    b"K": lambda at: at._push(at._number(_U1)),
    b"M": lambda at: at._push(at._number(_U2)),
    b"\x8a": lambda at: at._long(_U1),
    b"\x8b": lambda at: at._long(_U4),
    b"F": PlainReader._decimal_float,
    b"G": lambda at: at._push(at._number(_DOUBLE)),
    b"S": PlainReader._quoted,
    b"V": lambda at: at._push(at._line("raw-unicode-escape")),
    b"T": lambda at: at._counted_bytes(_U4),
    b"U": lambda at: at._counted_bytes(_U1),
    b"X": lambda at: at._counted_text(_U4),
    b"\x8c": lambda at: at._counted_text(_U1),
    b"\x8d": lambda at: at._counted_text(_U8),
    b"B": lambda at: at._counted_bytes(_U4),
    b"C": lambda at: at._counted_bytes(_U1),
    b"\x8e": lambda at: at._counted_bytes(_U8),
    b"\x96": lambda at: at._counted_bytes(_U8),
    b"]": lambda at: at._push([]),
    b"a": lambda at: at._append([at._pop()]),
    b"e": lambda at: at._append(at._to_mark()),
    b"l": lambda at: at._whole(list),
    b"}": lambda at: at._push({}),
    b"d": PlainReader._dictionary,
    b"s": PlainReader._set_one,
    b"u": lambda at: at._set(at._to_mark()),
    b")": lambda at: at._push(()),
    b"t": lambda at: at._whole(tuple),
    b"\x85": lambda at: at._tuple(1),
    b"\x86": lambda at: at._tuple(2),
    b"\x87": lambda at: at._tuple(3),
    b"\x8f": lambda at: at._push([]),
    b"\x90": lambda at: at._append(at._to_mark()),
    b"\x91": lambda at: at._whole(list),
    b"p": lambda at: at._remember(at._place_of_line()),
    b"q": lambda at: at._remember(at._number(_U1)),
    b"r": lambda at: at._remember(at._number(_U4)),
    b"\x94": PlainReader._remember,
    b"g": lambda at: at._recall(at._place_of_line()),
    b"h": lambda at: at._recall(at._number(_U1)),
    b"j": lambda at: at._recall(at._number(_U4)),
    b"c": PlainReader._line_name,
    b"\x93": PlainReader._stack_name,
    b"R": PlainReader._call,
    b"\x81": PlainReader._call,
    b"\x92": PlainReader._new_with_names,
    b"i": PlainReader._instance,
    b"o": PlainReader._object,
    b"b": PlainReader._build,
    b"Q": PlainReader._persistent,
    b"P": lambda at: at._push(Persistent(at._line())),
}
_STEPS: tuple[_Step | None, ...] = tuple(_BY_OPCODE.get(bytes([code])) for code in range(256))
