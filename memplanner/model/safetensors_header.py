"""The header of a safetensors file: names, types, shapes. The weights are never read.

Format: 8 bytes of header length (little endian), a JSON header, then the data without holes
(https://github.com/huggingface/safetensors, ``README.md``). Everything is checked against the
file's size before it is used, so a lying header costs no memory.
"""

from __future__ import annotations

import os
import re
import struct
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import Any

from memplanner.errors import SourceError
from memplanner.model.reading import parse_json, read_json, reason
from memplanner.model.tensors import (
    MOST_DIMENSIONS,
    MOST_ELEMENTS,
    MOST_TENSORS,
    StoredTensor,
    is_shape,
    whole,
)

LONGEST_HEADER_BYTES = 100_000_000
"""The format's own limit."""
INDEX_BYTES = 64 * 2**20
"""The index of a mixture of 256 experts has 9 MiB."""
INDEX_ENDING = ".safetensors.index.json"

BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


def read_safetensors(path: Path) -> tuple[StoredTensor, ...]:
    """The tensors that the file ``path`` holds, in the order of its data.

    Raises ``SourceError`` where the header is cut off or contradicts itself or the file's size.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            start = file.read(8)
            if len(start) < 8:
                raise SourceError(f"{path} is cut off in its first 8 bytes; download it again.")
            (length,) = struct.unpack("<Q", start)
            if length > LONGEST_HEADER_BYTES:
                raise SourceError(
                    f"{path} is no safetensors file: its header would have {length} bytes; "
                    "name another file."
                )
            if length > size - 8:
                raise SourceError(
                    f"{path} is cut off: its header has {length} bytes, the file {size}; "
                    "download it again."
                )
            header = file.read(length)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error
    return _tensors(parse_json(header, f"The header of {path}"), path, size - 8 - length)


def read_index(path: Path) -> tuple[StoredTensor, ...]:
    """The tensors of all the shards that an index (``model.safetensors.index.json``) names."""
    shards = read_json(path, INDEX_BYTES).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise SourceError(f"{path} has no weight_map; download it again.")
    files: dict[str, set[str]] = {}
    for name, shard in shards.items():
        if not isinstance(shard, str) or not _inside(shard):
            raise SourceError(
                f"{path} names the file {str(shard)[:80]!r} for {name}, which is no file beside "
                "it; correct the index."
            )
        files.setdefault(shard, set()).add(name)
    found: list[StoredTensor] = []
    read: dict[tuple[int, int], str] = {}
    for shard, names in files.items():
        part = path.parent / shard
        file = _file(part)
        if file is None:
            raise SourceError(f"{path} names {shard}, which is missing; download that file too.")
        other = read.setdefault(file, shard)
        if other != shard:  # thousands of links cost nothing, and reading for each takes minutes
            raise SourceError(
                f"{path} names {other[:80]} and {shard[:80]}, which are one file; download both "
                "again."
            )
        tensors = [tensor for tensor in read_safetensors(part) if tensor.name in names]
        if len(tensors) < len(names):
            absent = min(names - {tensor.name for tensor in tensors})
            raise SourceError(
                f"{part} lacks {absent[:80]}, which {path.name} says it holds; download it again."
            )
        found += tensors
    return tuple(found)


def _file(path: Path) -> tuple[int, int] | None:
    """What tells the file from others, whatever links lead to it; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:  # also for a name that is too long
        return None
    return (status.st_dev, status.st_ino) if S_ISREG(status.st_mode) else None


def _inside(shard: str) -> bool:
    return re.fullmatch(r"[^/\\\0:]+\.safetensors", shard) is not None and shard[0] != "."


def _tensors(header: dict[str, Any], path: Path, data_bytes: int) -> tuple[StoredTensor, ...]:
    if len(header) > MOST_TENSORS:
        raise SourceError(f"{path} names {len(header)} tensors, more than any model has.")
    entries = [
        (*_offsets(name, entry, path), name, entry)
        for name, entry in header.items()
        if name != "__metadata__"
    ]
    entries.sort(key=lambda item: item[:2])
    found = []
    position = 0
    for start, stop, name, entry in entries:
        if start != position:
            raise SourceError(
                f"The header of {path} is wrong: the data of {name} begins at {start} instead of "
                f"{position}; download the file again."
            )
        found.append(_tensor(name, entry, path, stop - start))
        position = stop
    if position != data_bytes:
        raise SourceError(
            f"{path} is {'cut off' if position > data_bytes else 'too long'}: its header "
            f"describes {position} bytes of weights, the file has {data_bytes}; download it again."
        )
    return tuple(found)


def _offsets(name: str, entry: object, path: Path) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(whole(offset) for offset in offsets)
        or offsets[0] > offsets[1]
    ):
        raise SourceError(
            f"The header of {path} gives no valid place for {name[:80]}; download the file again."
        )
    return offsets[0], offsets[1]


def _tensor(name: str, entry: dict[str, Any], path: Path, size_bytes: int) -> StoredTensor:
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise SourceError(
            f"The header of {path} gives {name[:80]} the type {str(dtype)[:40]!r}, which is none "
            "of the format's; update memplanner or download the file again."
        )
    sides: list[Any] = shape if isinstance(shape, list) else [shape]
    plain = len(sides) <= MOST_DIMENSIONS and all(
        whole(side) and side <= MOST_ELEMENTS for side in sides
    )
    if plain and prod(sides) * BITS[dtype] != size_bytes * 8:
        raise SourceError(
            f"The header of {path} is wrong: {name[:80]} of shape {shape} in {dtype} does not "
            f"take {size_bytes} bytes; download the file again."
        )
    if not (plain and isinstance(shape, list) and is_shape(sides)):
        raise SourceError(
            f"The header of {path} gives {name[:80]} no valid shape; download the file again."
        )
    return StoredTensor(name, dtype, tuple(sides), size_bytes, path)
