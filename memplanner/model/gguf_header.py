"""The header of a GGUF file: metadata, and names, types and shapes of tensors. No weights.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Every count and length is
checked against what is left of the file before it is used, so a lying header costs no memory.
Arrays are skipped, but for short ones of numbers; of the others the length is kept.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from memplanner.errors import SourceError
from memplanner.model.reading import reason
from memplanner.model.tensors import MOST_TENSORS, StoredTensor, is_shape

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS = 2**12
"""Files have some fifty."""
LONGEST_NAME = 2**16
LONGEST_TEXT = 2**22
"""Of a value, such as a chat template."""
MOST_TEXTS = 2**22
MOST_LISTS = 2**16
KEPT_ITEMS = 2**10
"""The longest array of numbers that is kept: head counts, one a layer."""
DEEPEST_ARRAY = 4
MOST_DIMENSIONS = 8
"""GGML has at most 4."""

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a file says of itself."""

    metadata: dict[str, Any]
    """Numbers, text, and short lists of numbers."""
    lengths: dict[str, int]
    """Of arrays, by key: the vocabulary has that of ``tokenizer.ggml.tokens``."""
    tensors: tuple[StoredTensor, ...]
    """Shapes in torch's order: the last dimension is contiguous."""


def read_gguf(path: Path) -> GgufHeader:
    """The header of the GGUF file ``path``. Raises ``SourceError`` where it is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < 24:
                raise SourceError(f"{path} is cut off in its header; download it again.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data, size).header()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error


class _Reader:
    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self._path = path
        self._data = data
        self._size = size
        self._position = 0
        self._order = "<"
        self._lengths: dict[str, int] = {}
        self._lists = 0

    def header(self) -> GgufHeader:
        if self._data[:4] != MAGIC:
            raise SourceError(f"{self._path} is no GGUF file; name another.")
        self._position = 4
        version = self._number("I")
        if version & 0xFFFF == 0:  # written by a big-endian machine
            self._order = ">"
            self._position = 4
            version = self._number("I")
        if version not in VERSIONS:
            raise SourceError(
                f"{self._path} is GGUF version {version}, and memplanner reads 2 and 3; convert it "
                "again with a current llama.cpp."
            )
        tensor_count, key_count = self._number("Q"), self._number("Q")
        # A tensor takes at least 24 bytes of header (name, dimensions, type, offset), a key 13.
        if key_count > MOST_KEYS or key_count * 13 > self._left():
            raise self._lie(f"{key_count} keys")
        if tensor_count > MOST_TENSORS or tensor_count * 24 > self._left():
            raise self._lie(f"{tensor_count} tensors")
        metadata = {}
        for _ in range(key_count):
            key = self._text(LONGEST_NAME)
            if key in metadata or key in self._lengths:
                raise self._lie(f"two keys called {key[:80]}")
            kind = self._number("I")
            if kind == _ARRAY:
                value, self._lengths[key] = self._array(1)
                if value is None:
                    continue
            else:
                value = self._value(kind)
            metadata[key] = value
        described = [self._tensor() for _ in range(tensor_count)]
        return GgufHeader(metadata, self._lengths, self._checked(described, metadata))

    def _left(self) -> int:
        return self._size - self._position

    def _lie(self, what: str) -> SourceError:
        return SourceError(
            f"{self._path} is cut off or damaged: its header speaks of {what}, and the file has "
            f"{self._size} bytes; download it again."
        )

    def _number(self, kind: str) -> Any:
        width = struct.calcsize(kind)
        if width > self._left():
            raise self._lie("more than there is")
        (value,) = struct.unpack_from(self._order + kind, self._data, self._position)
        self._position += width
        return value

    def _text(self, longest: int) -> str:
        length = self._number("Q")
        if length > longest or length > self._left():
            raise self._lie(f"a text of {length} bytes")
        start = self._position
        self._position += length
        try:
            return self._data[start : self._position].decode("utf-8")
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{self._path} has a text in its header that is not UTF-8; download it again."
            ) from error

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text(LONGEST_TEXT)
        if kind not in _SCALARS:
            raise self._lie(f"a value of type {kind}")
        return self._number(_SCALARS[kind])

    def _array(self, depth: int) -> tuple[list[Any] | None, int]:
        """A short array of numbers, else None; and the length. The position is after it."""
        kind, count = self._number("I"), self._number("Q")
        if kind in _SCALARS:
            width = struct.calcsize(_SCALARS[kind])
            if count * width > self._left():
                raise self._lie(f"a list of {count} numbers")
            if count <= KEPT_ITEMS:
                return [self._number(_SCALARS[kind]) for _ in range(count)], count
            self._position += count * width
        elif kind == _STRING:
            if count > MOST_TEXTS or count * 8 > self._left():
                raise self._lie(f"a list of {count} texts")
            self._skip_texts(count)
        elif kind == _ARRAY and depth < DEEPEST_ARRAY:
            self._lists += count
            if self._lists > MOST_LISTS or count * 12 > self._left():
                raise self._lie(f"a list of {count} lists")
            for _ in range(count):
                self._array(depth + 1)
        else:
            raise self._lie(f"a list of type {kind}")
        return None, count

    def _skip_texts(self, count: int) -> None:
        """Vocabularies have some 100 000 entries: one loop without calls of our own."""
        unpack: Callable[..., tuple[int]] = struct.Struct(self._order + "Q").unpack_from
        data, position, last = self._data, self._position, self._size - 8
        for _ in range(count):
            if position > last:
                raise self._lie(f"a list of {count} texts")
            position += 8 + unpack(data, position)[0]
        if position > self._size:
            raise self._lie(f"a list of {count} texts")
        self._position = position

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._text(LONGEST_NAME)
        dimensions = self._number("I")
        if dimensions > MOST_DIMENSIONS:
            raise self._lie(f"{dimensions} dimensions")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        if not is_shape(shape):
            raise self._lie(f"a tensor of shape {list(shape)}")
        return name, shape[::-1], self._number("I"), self._number("Q")

    def _checked(
        self, described: list[tuple[str, tuple[int, ...], int, int]], metadata: dict[str, Any]
    ) -> tuple[StoredTensor, ...]:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 1 <= alignment <= 2**20:
            raise self._lie(f"an alignment of {alignment}")
        start = -(-self._position // alignment) * alignment
        found: dict[str, StoredTensor] = {}
        for name, shape, kind, offset in described:
            try:
                dtype = GGMLQuantizationType(kind)
                block, block_bytes = GGML_QUANT_SIZES[dtype]
            except (KeyError, ValueError) as error:
                raise SourceError(
                    f"{self._path} stores {name} in the type {kind}, which is not known here; "
                    "update the package gguf."
                ) from error
            size_bytes = prod(shape) // block * block_bytes
            if prod(shape) % block or start + offset + size_bytes > self._size:
                raise self._lie(f"{name} of shape {list(shape)} in {dtype.name} at {offset}")
            if name in found:
                raise self._lie(f"two tensors called {name}")
            found[name] = StoredTensor(name, dtype.name, shape, size_bytes, self._path)
        return tuple(found.values())
