"""Which shared libraries an ELF file is linked against."""

from __future__ import annotations

import struct
from pathlib import Path

LOADED, DYNAMIC = 1, 2
"""Kinds of program headers."""
END, NEEDED, STRING_TABLE = 0, 1, 5
"""Tags of the dynamic section."""


def needed(path: Path) -> list[str]:
    """The names that the dynamic linker looks for before ``path`` can be used, in its order.

    Of a 64-bit little-endian ELF file (System V ABI, chapters 4 and 5); nothing for other files.
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return []
    (headers_at,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    loaded: list[tuple[int, int, int]] = []
    dynamic: list[tuple[int, int]] = []
    for index in range(count):
        kind, _, at, address, _, length, _, _ = struct.unpack_from(
            "<IIQQQQQQ", data, headers_at + index * size
        )
        if kind == LOADED:
            loaded.append((address, length, at))
        elif kind == DYNAMIC:
            dynamic = list(struct.iter_unpack("<QQ", data[at : at + length]))
    names: list[int] = []
    table = 0
    for tag, value in dynamic:
        if tag == END:
            break
        if tag == NEEDED:
            names.append(value)
        elif tag == STRING_TABLE:
            table = next(
                at + value - begin for begin, long, at in loaded if 0 <= value - begin < long
            )
    return [data[table + at : data.index(b"\0", table + at)].decode() for at in names]
