"""The malformed files of weights alone: safetensors, GGUF, ONNX, Keras; see ``corpus``."""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

from tests.hostile.seeds import field, graph, initializer, safetensors, seed, tensor, zipped
from tests.model.test_gguf import gguf, key, text

_DAMAGED = "Bad CRC-32" if sys.version_info < (3, 12) else "save it again"
"""From 3.12 on ``zipfile`` sums nothing up where a reader jumps to what it wants, as h5py does."""


def safetensors_files() -> Iterator[tuple[Any, ...]]:
    whole = seed("safetensors")
    for cut in (0, 1, 7):
        yield f"cut at {cut}", "cut off in its first 8 bytes", whole[:cut]
    for cut in (8, 9, 40, len(whole) - 13):
        yield f"cut at {cut}", "cut off", whole[:cut]
    for cut in (1, 4, 11):
        yield f"data short of {cut}", "cut off", whole[:-cut]
    yield "data too long", "too long", whole + b"x"
    for length in (2**27, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"header of {length}", "no safetensors file", safetensors({}, b"", length)
    yield "header longer than file", "cut off", safetensors({}, b"", 10_000)
    yield "deep lists", "nested too deeply", safetensors(b'{"a":' + b"[" * 200_000)
    yield "closed deep lists", "nested too deeply", safetensors(
        b'{"a":' + b"[" * 500 + b"]" * 500 + b"}")  # fmt: skip
    yield "millions of values", "more values", lambda: safetensors(
        b'{"a":[' + b"[]," * 5_000_000 + b"[]]}")  # fmt: skip
    yield "twice the same name", "occurs twice", safetensors(b'{"a":1,"a":2}')
    yield "not UTF-8", "not UTF-8", safetensors(b'{"\xff":1}')
    yield "half a character", "half a character", safetensors(b'{"\\ud800":1}')
    yield "a list", "no JSON object", safetensors(b"[]")
    yield "5000 digits", "not valid JSON", safetensors(b'{"a":' + b"9" * 5000 + b"}")
    yield "not a number", "no valid place", safetensors(b'{"a":NaN}')
    good = {"a": tensor([2], 0, 8)}
    for name, change, says in (
        ("dtype unknown", {"dtype": "F33"}, "the type"),
        ("dtype a list", {"dtype": []}, "the type"),
        ("shape negative", {"shape": [-1]}, "no valid shape"),
        ("shape huge", {"shape": [2**64]}, "no valid shape"),
        ("shape overflows", {"shape": [2**33, 2**33]}, "does not take"),
        ("shape of floats", {"shape": [2.0]}, "no valid shape"),
        ("shape of truth", {"shape": [True, 2]}, "no valid shape"),
        ("too many dimensions", {"shape": [1] * 17}, "no valid shape"),
        ("offsets turned", {"data_offsets": [8, 0]}, "no valid place"),
        ("offsets negative", {"data_offsets": [-8, 0]}, "no valid place"),
        ("offsets three", {"data_offsets": [0, 8, 9]}, "no valid place"),
        ("offsets huge", {"data_offsets": [0, 2**70]}, "does not take"),
        ("a hole", {"data_offsets": [1, 9]}, "begins at 1"),
    ):
        yield name, says, safetensors({"a": {**good["a"], **change}}, bytes(8))
    nothing = {"a": tensor([2**48, 2**48, 0], 0, 0)}
    yield "sides of nothing overflow", "no valid shape", safetensors(nothing)
    overlap = {"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}
    yield "overlapping", "begins at 4", safetensors(overlap, bytes(12))
    control = safetensors({"a\n\x1b[2J\u202e": tensor([9], 0, 8)}, bytes(8))
    yield "a name of control characters", "does not take", control
    index = "model.safetensors.index.json"
    for name in ("../x", "/etc/passwd", "..\\x", "C:x", "a/b", ".x", "", "a\0b", "\\\\host\\x"):
        table = json.dumps({"weight_map": {"w": name + ".safetensors"}}).encode()
        yield f"index names {name!r}", "no file beside", table, {}, index
    for name, shard in (("a list", []), ("a number", 3), ("a link up", "..")):
        table = json.dumps({"weight_map": {"w": shard}}).encode()
        yield f"index names {name}", "no file beside", table, {}, index
    table = json.dumps({"weight_map": {"w": "n" * 300 + ".safetensors"}}).encode()
    yield "index of a long name", "missing", table, {}, index
    lacking = b'{"weight_map":{"w":"a.safetensors"}}'
    yield "index of a missing file", "missing", lacking, {}, index
    yield "index of a lacking file", "lacks w", lacking, {"a.safetensors": safetensors({})}, index
    for name, table in (("none", b"{}"), ("empty", b'{"weight_map":{}}')):
        yield f"index with {name}", "no weight_map", table, {}, index


def gguf_files() -> Iterator[tuple[Any, ...]]:
    whole = seed("gguf")
    for cut in (0, 3, 4, 8, 16, 23):
        yield f"cut at {cut}", "cut off", whole[:cut]
    for cut in (24, 31, 60, 100, 200, 400, 700, len(whole) - 1):
        yield f"cut at {cut}", "cut off or damaged", whole[:cut]
    yield "another magic", "no GGUF", b"GGUX" + whole[4:]
    for version in (0x10001, 1, 4, 2**31):
        yield f"version {version}", "GGUF version", b"GGUF" + struct.pack("<I", version) + whole[8:]
    for tensors, keys in ((2**64 - 1, 0), (2**62, 0), (0, 2**64 - 1), (0, 2**40), (10**6, 10**6)):
        yield f"counts {tensors} {keys}", "speaks of", gguf([], [], 3, (tensors, keys)) + bytes(40)

    def one(value: bytes) -> bytes:
        return gguf([text("k") + value], []) + bytes(64)

    yield "text of everything", "a text of", one(struct.pack("<IQ", 8, 2**64 - 1))
    yield "type unknown", "a value of type", one(struct.pack("<I", 77))
    for kind in (0, 6, 8, 9, 12, 77):
        lying = one(struct.pack("<IIQ", 9, kind, 2**61))
        yield f"list of type {kind}", "a list of", lying
    deep = struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 6
    yield "lists too deep", "a list of type 9", one(deep)
    twice = gguf([key("k", 1), key("k", 2)], [])
    yield "twice the same key", "two keys", twice
    odd = struct.pack("<Q", 1) + b"\xff" + struct.pack("<II", 4, 1)
    yield "not UTF-8", "not UTF-8", gguf([odd], [])
    yield "alignment 0", "an alignment", gguf([key("general.alignment", 0)], []) + bytes(32)
    yield "alignment huge", "an alignment", gguf([key("general.alignment", 2**31)], []) + bytes(32)
    yield "two tensors of a name", "two tensors", gguf([], [("w", (2,)), ("w", (2,))])

    def described(sides: list[int], kind: int = 0, offset: int = 0) -> bytes:
        data = text("w") + struct.pack("<I", len(sides))
        data += b"".join(struct.pack("<Q", side) for side in sides)
        return b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + data + struct.pack("<IQ", kind, offset)

    for name, data, says in (
        ("side huge", described([2**63]), "shape"),
        ("sides overflow", described([2**40, 2**40]), "shape"),
        ("sides of nothing overflow", described([2**48, 2**48, 0]), "shape"),
        ("offset huge", described([2], 0, 2**64 - 1), "at 1844"),
        ("no whole block", described([3], 2), "shape"),
        ("type of tensor unknown", described([2], 999), "is not known"),
    ):
        yield name, says, data + bytes(64)
    yield "nine dimensions", "9 dimensions", described([1] * 9) + bytes(64)


def onnx() -> Iterator[tuple[Any, ...]]:
    whole = seed("onnx")
    yield "empty", "empty", b""
    for cut in (1, 2, 3, 4, 10, 20, 30, len(whole) - 1):
        yield f"cut at {cut}", "no ONNX model", whole[:cut]
    for byte in (0x0B, 0x0C, 0x0E, 0x0F):
        yield f"field kind {byte & 7}", "a field of kind", bytes([byte]) * 4
    yield "number without end", "without an end", b"\x08" + b"\xff" * 11
    yield "part of everything", "a part of", b"\x3a" + b"\xff" * 9 + b"\x01"
    yield "two graphs", "no ONNX model", graph() + graph()
    yield "no initializer", "no initializers", graph()
    yield "side huge", "shape", graph(initializer([2**63]))
    yield "side negative", "shape", graph(initializer([2**64 - 1]))
    yield "sides overflow", "shape", graph(initializer([2**47, 2**47]))
    yield "sides of nothing overflow", "shape", graph(initializer([2**48, 2**48, 0]))
    yield "17 sides", "dimensions", graph(initializer([1] * 17))
    packed = graph(field(1, b"\1" * 40) + field(8, b"w"))
    yield "40 packed sides", "dimensions", packed
    yield "data of another size", "in 3 bytes", graph(initializer([2], b"abc"))
    yield "long name", "a name of", graph(initializer([1], b"", b"n" * 70_000))
    yield "twice a name", "two initializers", graph(initializer([1]), initializer([2]))
    yield "too many parts", "more parts", lambda: field(7, b"\x10\0" * 4_300_000)
    names = b"".join(field(1, field(4, b"Op%d" % number)) for number in range(5000))
    yield "5000 operations", "more operations", field(7, names)


def keras() -> Iterator[tuple[Any, ...]]:
    whole = seed("keras")
    place = whole.find(b"\x89HDF")
    for step in (8, 16, 40, 48, 64, 96):
        yield f"damage at {step}", _DAMAGED, _changed(whole, place + step)
    for step in (8, 13, 40, 48, 64, 96):
        file = _changed(whole[place:], step)
        yield f"h5 damage at {step}", "", file, {}, "m.h5"
    earlier = bytearray(whole)
    (listed,) = struct.unpack_from("<I", whole, whole.rfind(b"PK\5\6") + 16)
    struct.pack_into("<I", earlier, whole.rfind(b"PK\5\6") + 16, listed + 9)
    yield "a member before the beginning", "no whole archive", bytes(earlier)
    packed = zipped(zipfile.ZIP_DEFLATED, model_dot_weights_dot_h5=bytes(900))
    yield "compressed", "holds model.weights.h5 compressed", packed
    yield "no HDF5", "no whole HDF5", zipped(model_dot_weights_dot_h5=b"x" * 900)
    yield "empty", "no whole HDF5", zipped(model_dot_weights_dot_h5=b"")
    for cut in (8, 9, 48, 400):
        file = whole[place : place + cut]
        yield f"h5 cut at {cut}", "no whole HDF5", file, {}, "m.h5"
    for shape in ((2**62,), (2**40, 2**40)):
        yield f"h5 of {len(shape)} sides", "is damaged", _dataset(shape), {}, "m.h5"


def _dataset(shape: tuple[int, ...]) -> bytes:
    """A file with a variable of this shape, of which nothing is stored."""
    import h5py

    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file.create_dataset("a", shape=shape, dtype="f4", chunks=(1,) * len(shape))
    return made.getvalue()


def _changed(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
