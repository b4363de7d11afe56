"""A program that ``torch.export.save`` wrote: its parameters and buffers.

The format is a zip archive (``torch/export/pt2_archive``, since torch 2.8): a JSON member says
what the weights are. The graph beside it is of one mode, with sizes that were seen at export, and
loading it runs code that deserializes; it stays unread.
"""

from __future__ import annotations

from math import prod
from typing import Any

from memplanner.errors import SourceError
from memplanner.model.archive import Archive
from memplanner.model.loaded import Model
from memplanner.model.parameter_tree import tree_model
from memplanner.model.reading import parse_json
from memplanner.model.tensors import (
    MOST_TENSORS,
    StoredTensor,
    is_shape,
    whole,
)

FORMAT = "/archive_format"
WEIGHTS = "/data/weights/model_weights_config.json"
OLDER = "serialized_exported_program.json"
LARGEST_BYTES = 64 * 2**20

TYPES = {
    1: ("U8", 1), 2: ("I8", 1), 3: ("I16", 2), 4: ("I32", 4), 5: ("I64", 8), 6: ("F16", 2),
    7: ("F32", 4), 8: ("F64", 8), 10: ("C64", 8), 12: ("BOOL", 1), 13: ("BF16", 2),
    28: ("U16", 2), 29: ("F8_E4M3", 1), 30: ("F8_E5M2", 1), 31: ("F8_E4M3FNUZ", 1),
    32: ("F8_E5M2FNUZ", 1),
}  # fmt: skip
"""``torch/_export/serde/schema.py: ScalarType``: the name in safetensors, bytes of an element."""


def is_program(archive: Archive) -> bool:
    """Whether ``torch.export.save`` wrote the archive."""
    names = archive.sizes_bytes
    return OLDER in names or any(name.endswith((FORMAT, WEIGHTS)) for name in names)


def load_program(archive: Archive, *, source: str) -> Model:
    """The parameters of the program in ``archive``. Raises ``SourceError``."""
    path = archive.path
    member = next((name for name in archive.sizes_bytes if name.endswith(WEIGHTS)), None)
    if member is None:
        raise SourceError(
            f"{path} was exported by an older torch, or holds no weights; export it again with "
            "torch 2.8 or newer."
        )
    table = parse_json(archive.read(member, LARGEST_BYTES), f"{path}: {member}").get("config")
    if not isinstance(table, dict) or not 0 < len(table) <= MOST_TENSORS:
        raise SourceError(f"{path} names no weights; export it again.")
    found: dict[object, StoredTensor] = {}
    for name, entry in table.items():
        place, stored = _stored(archive, name, entry)
        found.setdefault(place, stored)
    return tree_model(
        tuple(found.values()),
        name=path.stem,
        source=source,
        kind="exported_program",
        note=f"{path.name} is an exported program: its parameters and buffers are known, its graph "
        "stays unread, so the estimate covers parameters, gradients and optimizer state; open the "
        "model that it was made from for activations.",
    )


def _stored(archive: Archive, name: str, entry: Any) -> tuple[object, StoredTensor]:
    """Where a tensor lies, and what it is."""
    try:
        meta = entry["tensor_meta"]
        shape = tuple(side["as_int"] for side in meta["sizes"])
        offset = meta["storage_offset"]["as_int"]
        dtype, width = TYPES[meta["dtype"]]
        place = entry["path_name"]
    except (KeyError, TypeError) as error:
        raise SourceError(
            f"{archive.path} describes {name[:80]} in a way that memplanner does not know; export "
            "it again with this torch."
        ) from error
    if not (isinstance(place, str) and whole(offset) and is_shape(shape)):
        raise SourceError(f"{archive.path} is damaged: {name[:80]} has no shape; export it again.")
    size_bytes = prod(shape) * width
    buffer = entry.get("is_param") is False
    return (place, offset, shape), StoredTensor(
        name, dtype, shape, size_bytes, archive.path, buffer=buffer
    )
