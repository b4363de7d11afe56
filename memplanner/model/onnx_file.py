"""An ONNX file: the initializers of its graph, which are the model's parameters and constants.

Only headers are read, in protobuf's wire format
(https://protobuf.dev/programming-guides/encoding/) with ONNX's field numbers
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): values are skipped, and data beside the
file is never opened.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import NamedTuple

from memplanner.errors import SourceError
from memplanner.model.loaded import Model
from memplanner.model.parameter_tree import tree_model
from memplanner.model.reading import reason
from memplanner.model.tensors import (
    MOST_DIMENSIONS,
    MOST_TENSORS,
    StoredTensor,
    is_shape,
)
from memplanner.units import format_count

ENDING = ".onnx"
LONGEST_NAME = 2**16
MOST_FIELDS = 2**21
"""Of the parts that are looked at, in the whole file: some ten for each node and tensor."""
MOST_OPERATIONS = 2**12
"""ONNX has some 200, and others' domains have their own."""

TYPES = {
    1: ("F32", 32), 2: ("U8", 8), 3: ("I8", 8), 4: ("U16", 16), 5: ("I16", 16), 6: ("I32", 32),
    7: ("I64", 64), 9: ("BOOL", 8), 10: ("F16", 16), 11: ("F64", 64), 12: ("U32", 32),
    13: ("U64", 64), 14: ("C64", 64), 16: ("BF16", 16), 17: ("F8_E4M3", 8), 18: ("F8_E4M3FNUZ", 8),
    19: ("F8_E5M2", 8), 20: ("F8_E5M2FNUZ", 8),
}  # fmt: skip
"""``TensorProto.DataType``: the name in safetensors, bits of an element."""

_GRAPH = 7
_NODE, _INITIALIZER = 1, 5
_OPERATION = 4
_DIMS, _TYPE, _NAME, _RAW, _LOCATION = 1, 2, 8, 9, 14
_NUMBER, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


class _Field(NamedTuple):
    """A field of a message: its number, and its value or where its bytes lie."""

    number: int
    value: int
    start: int = 0
    stop: int = 0


def load_onnx(path: Path, *, source: str) -> Model:
    """The parameters of the ONNX model ``path``. Raises ``SourceError``."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if not size:
                raise SourceError(f"{path} is empty; name another file.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                stored, operations = _Reader(path, data, size).graph()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error
    if not stored:
        raise SourceError(f"{path} is no ONNX model, or has no initializers; name another file.")
    kinds = ", ".join(f"{format_count(count)} {name}" for name, count in operations.most_common(3))
    return tree_model(
        stored,
        name=path.stem,
        source=source,
        kind="onnx",
        note=f"{path.name} is a graph for inference ({kinds}): its initializers are known, so the "
        "estimate covers parameters, gradients and optimizer state; open the model that it was "
        "exported from for activations.",
    )


class _Reader:
    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self._path, self._data, self._size = path, data, size
        self._count = 0

    def graph(self) -> tuple[tuple[StoredTensor, ...], Counter[str]]:
        """The initializers, and how many nodes of each operation there are."""
        found: dict[str, StoredTensor] = {}
        operations: Counter[str] = Counter()
        graphs = [field for field in self._fields(0, self._size) if field.number == _GRAPH]
        if len(graphs) != 1:
            raise SourceError(f"{self._path} is no ONNX model; name another file.")
        for field in self._fields(graphs[0].start, graphs[0].stop):
            if field.number == _INITIALIZER:
                stored = self._tensor(field)
                if stored.name in found:
                    raise self._damaged(f"two initializers called {stored.name[:80]}")
                found[stored.name] = stored
                if len(found) > MOST_TENSORS:
                    raise self._damaged("more tensors than a model")
            elif field.number == _NODE:
                operations[self._operation(field)] += 1
                if len(operations) > MOST_OPERATIONS:
                    raise self._damaged("more operations than there are")
        return tuple(found.values()), operations

    def _tensor(self, field: _Field) -> StoredTensor:
        shape: list[int] = []
        name, kind, raw_bytes, outside = "", 0, None, False
        for inner in self._fields(field.start, field.stop):
            if inner.number == _DIMS and inner.stop:
                shape += self._packed(inner)
            elif inner.number == _DIMS:
                shape.append(inner.value)
            elif inner.number == _TYPE:
                kind = inner.value
            elif inner.number == _NAME:
                name = self._text(inner)
            elif inner.number == _RAW:
                raw_bytes = inner.stop - inner.start
            elif inner.number == _LOCATION:
                outside = inner.value == 1
            if len(shape) > MOST_DIMENSIONS:
                raise self._damaged(f"a tensor of {len(shape)} dimensions")
        if not is_shape(shape):
            raise self._damaged(f"a tensor of shape {shape}")
        dtype, bits = TYPES.get(kind, (f"ONNX_{kind}", 32))
        size_bytes = prod(shape) * bits // 8
        if kind in TYPES and raw_bytes is not None and not outside and raw_bytes != size_bytes:
            raise self._damaged(f"{name[:80]} of shape {shape} in {raw_bytes} bytes")
        return StoredTensor(name or "unnamed", dtype, tuple(shape), size_bytes, self._path)

    def _operation(self, field: _Field) -> str:
        for inner in self._fields(field.start, field.stop):
            if inner.number == _OPERATION:
                return self._text(inner)[:64]
        return "unnamed"

    def _fields(self, start: int, stop: int) -> Iterator[_Field]:
        place = start
        while place < stop:
            key, place = self._varint(place, stop)
            number, wire = key >> 3, key & 7
            if wire == _NUMBER:
                value, place = self._varint(place, stop)
                yield _Field(number, value)
            elif wire == _BYTES:
                length, place = self._varint(place, stop)
                if length > stop - place:
                    raise self._damaged(f"a part of {length} bytes")
                yield _Field(number, 0, place, place + length)
                place += length
            elif wire in (_FIXED_64, _FIXED_32):
                place += 8 if wire == _FIXED_64 else 4
                if place > stop:
                    raise self._damaged("a number that is cut off")
            else:
                raise self._damaged(f"a field of kind {wire}")
            self._count += 1
            if self._count > MOST_FIELDS:
                raise self._damaged("more parts than a graph")

    def _varint(self, place: int, stop: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if place >= stop:
                raise self._damaged("a number that is cut off")
            byte = self._data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, place
        raise self._damaged("a number without an end")

    def _packed(self, field: _Field) -> list[int]:
        found: list[int] = []
        place = field.start
        while place < field.stop:
            value, place = self._varint(place, field.stop)
            found.append(value)
            if len(found) > MOST_DIMENSIONS:
                raise self._damaged(f"a tensor of {len(found)} dimensions")
        return found

    def _text(self, field: _Field) -> str:
        if field.stop - field.start > LONGEST_NAME:
            raise self._damaged(f"a name of {field.stop - field.start} bytes")
        return self._data[field.start : field.stop].decode("utf-8", "replace")

    def _damaged(self, what: str) -> SourceError:
        return SourceError(
            f"{self._path} is no ONNX model, or cut off: it has {what}; download it again."
        )
