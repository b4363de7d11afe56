"""A state dict as ``torch.save`` writes it: the names, types and shapes of its tensors.

The format is a zip archive (``torch/serialization.py``, since torch 1.6): ``data.pkl`` says what
the tensors are, members below ``data/`` are their storages. The pickle is read as data, so nothing
in it can run, and no storage is read at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from math import prod
from typing import Any

from memplanner.errors import SourceError
from memplanner.model.archive import Archive
from memplanner.model.plain_pickle import read_plain
from memplanner.model.plain_values import Made, Name, Persistent
from memplanner.model.tensors import MOST_TENSORS, StoredTensor, is_shape, whole

PICKLE = "/data.pkl"
LARGEST_PICKLE_BYTES = 64 * 2**20
DEEPEST = 8
"""Dictionaries within each other, and calls around a tensor; a checkpoint has some three."""
LONGEST_NAME = 2**12
WEIGHTS = ("state_dict", "model_state_dict", "model", "module", "weights", "params", "net")
"""Where checkpoints keep the state dict, the likeliest first."""

TYPES = {
    "Float": ("F32", 4), "Half": ("F16", 2), "BFloat16": ("BF16", 2), "Double": ("F64", 8),
    "Long": ("I64", 8), "Int": ("I32", 4), "Short": ("I16", 2), "Char": ("I8", 1),
    "Byte": ("U8", 1), "Bool": ("BOOL", 1), "ComplexFloat": ("C64", 8),
    "float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2), "float64": ("F64", 8),
    "int64": ("I64", 8), "int32": ("I32", 4), "int16": ("I16", 2), "int8": ("I8", 1),
    "uint8": ("U8", 1), "uint16": ("U16", 2), "uint32": ("U32", 4), "uint64": ("U64", 8),
    "bool": ("BOOL", 1), "complex64": ("C64", 8), "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e5m2": ("F8_E5M2", 1), "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1),
    "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1), "float8_e8m0fnu": ("F8_E8M0", 1),
}  # fmt: skip
"""By the name of torch's storage class or type: that of safetensors, and bytes of an element."""
_OF_STORAGE = {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"}
_ORDERED = Name("collections", "OrderedDict")
_AROUND = {"_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_from_type_v2"}
"""What a tensor is wrapped in: a parameter, or one with attributes of its own."""


def is_state_dict(archive: Archive) -> bool:
    """Whether ``torch.save`` wrote the archive."""
    return _member(archive) is not None


def read_state_dict(archive: Archive) -> tuple[tuple[StoredTensor, ...], tuple[str, ...]]:
    """The tensors of the state dict, and the names of those that share another's storage.

    Tensors that are tied are told once. Raises ``SourceError`` where there is no state dict.
    """
    member = _member(archive)
    assert member is not None
    value = read_plain(archive.read(member, LARGEST_PICKLE_BYTES), str(archive.path))
    reader = _Tensors(archive)
    table = _table(value)
    if table is None:
        raise SourceError(
            f"{archive.path} holds {_what(value)} and no state dict; save model.state_dict(), and "
            "open the model itself through a recipe file."
        )
    found: dict[tuple[Any, ...], StoredTensor] = {}
    shared: list[str] = []
    for name, made in islice(_named(_weights(table)), MOST_TENSORS):
        place, stored = reader.stored(name, made)
        if place in found:
            shared.append(name)
        else:
            found[place] = stored
    if not found:
        raise SourceError(f"{archive.path} holds no tensor; save model.state_dict().")
    return tuple(found.values()), tuple(shared)


def _member(archive: Archive) -> str | None:
    return next((name for name in archive.sizes_bytes if name.endswith(PICKLE)), None)


def _table(value: Any) -> Mapping[Any, Any] | None:
    """The dictionary that a value is; None where it is none."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Made) and value.call == _ORDERED:
        return value.items
    return None


def _is_tensor(value: Any) -> bool:
    if not (isinstance(value, Made) and isinstance(value.call, Name)):
        return False
    call = value.call
    if call.module == "torch._tensor":
        return call.name == "_rebuild_from_type_v2"
    return call.module == "torch._utils" and call.name in _OF_STORAGE | _AROUND


def _weights(table: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The state dict in a checkpoint, which has others' tensors beside it."""
    if any(_is_tensor(value) for value in table.values()):
        return table
    for key in WEIGHTS:
        inner = _table(table.get(key))
        if inner is not None and next(_named(inner), None) is not None:
            return inner
    return table


def _named(
    table: Mapping[Any, Any], prefix: str = "", depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[str, Made]]:
    """The tensors below ``table``, with dots between keys; a dictionary is visited once."""
    seen = set() if seen is None else seen
    for key, value in table.items():
        if _is_tensor(value):
            yield f"{prefix}{str(key)[:LONGEST_NAME]}", value
        else:
            inner = _table(value)
            if inner is not None and depth < DEEPEST and id(inner) not in seen:
                seen.add(id(inner))
                yield from _named(inner, f"{prefix}{str(key)[:LONGEST_NAME]}.", depth + 1, seen)


def _halved(name: str) -> bool:
    """Whether there are halves of characters in it, which pickles may hold and text may not."""
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def _what(value: Any) -> str:
    if isinstance(value, Made):
        call = str(value.call)[:80] if isinstance(value.call, Name) else "an unknown class"
        return f"an object of {call}"
    return f"a {type(value).__name__}"


class _Tensors:
    """Tensors as calls of torch's own functions describe them."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def stored(self, name: str, made: Made) -> tuple[tuple[Any, ...], StoredTensor]:
        """Where a tensor lies, and what it is."""
        call, arguments = made.call.name, made.arguments
        if len(name) > LONGEST_NAME or (not name.isascii() and _halved(name)):
            raise self._unknown(name)
        try:
            for _ in range(DEEPEST):  # what is around a tensor may hold itself
                if call in _OF_STORAGE:
                    break
                inner = arguments[0] if call != "_rebuild_from_type_v2" else None
                if inner is None:
                    function, _, inner_arguments, _ = arguments
                    call, arguments = function.name, inner_arguments
                else:
                    call, arguments = inner.call.name, inner.arguments
            else:
                raise self._unknown(name)
            storage, offset, shape = arguments[:3]
            _, kind, key, _, _ = storage.key
            if call == "_rebuild_tensor_v3":
                kind = arguments[6]
            dtype, width = TYPES[kind.name.removesuffix("Storage")]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise self._unknown(name) from error
        if not (
            isinstance(storage, Persistent)
            and isinstance(key, str)
            and whole(offset)
            and isinstance(shape, tuple)
            and is_shape(shape)
        ):
            raise self._unknown(name)
        size_bytes = prod(shape) * width
        there = self._storage_bytes(key)
        if there is None or offset * width + size_bytes > there:
            raise SourceError(
                f"{self._archive.path} is cut off or damaged: {name} of shape {list(shape)} is "
                "longer than what is stored; save it again."
            )
        path = self._archive.path
        return (key, offset, shape), StoredTensor(name, dtype, shape, size_bytes, path)

    def _storage_bytes(self, key: str) -> int | None:
        member = _member(self._archive)
        assert member is not None
        folder = member.removesuffix(PICKLE)
        return self._archive.sizes_bytes.get(f"{folder}/data/{key}")

    def _unknown(self, name: str) -> SourceError:
        return SourceError(
            f"{self._archive.path} describes {name[:80]} in a way that memplanner does not know; "
            "save the weights as safetensors."
        )
