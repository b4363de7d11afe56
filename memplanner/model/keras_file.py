"""Keras' files, ``.keras`` and ``.h5``: the parameters of their layers, through h5py.

A ``.keras`` file is a zip archive with ``model.weights.h5`` in it; both forms keep a dataset for
each variable. Links to other files are not followed, and no values are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from memplanner.errors import SourceError
from memplanner.model.archive import Archive
from memplanner.model.loaded import Model
from memplanner.model.parameter_tree import tree_model
from memplanner.model.reading import reason
from memplanner.model.tensors import StoredTensor, is_shape

ENDINGS = (".h5", ".hdf5")

WEIGHTS = "model.weights.h5"
DEEPEST = 64
LONGEST_NAME = 2**12
MOST_PARTS = 2**16
"""Groups and variables; the largest public models have some 10 000."""
_OPTIMIZERS = ("optimizer", "optimizer_weights")
_TYPES = {
    "float32": "F32", "float16": "F16", "float64": "F64", "bfloat16": "BF16", "int8": "I8",
    "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint16": "U16",
    "uint32": "U32", "uint64": "U64", "bool": "BOOL",
}  # fmt: skip


def is_keras(archive: Archive) -> bool:
    """Whether Keras wrote the archive."""
    return WEIGHTS in archive.sizes_bytes


def load_keras(archive: Archive, *, source: str) -> Model:
    """The parameters of a ``.keras`` file. Raises ``SourceError``."""
    with archive.member(WEIGHTS) as file:
        return _model(archive.path, file, source)


def load_h5(path: Path, *, source: str) -> Model:
    """The parameters of an ``.h5`` file. Raises ``SourceError``."""
    return _model(path, path, source)


def _model(path: Path, file: Any, source: str) -> Model:
    try:
        import h5py
    except ImportError as error:
        raise SourceError(
            f"{path} is Keras', whose files need h5py; run pip install 'memplanner[keras]'."
        ) from error
    try:
        with h5py.File(file, "r") as opened:
            stored = tuple(_stored(path, opened, h5py))
    except OSError as error:
        text = reason(error).splitlines()[0][:120]
        raise SourceError(f"{path} is no whole HDF5 file ({text}); save it again.") from error
    except (RuntimeError, ValueError, KeyError, TypeError) as error:  # h5py's words for damage
        raise SourceError(
            f"{path} is damaged ({str(error).splitlines()[0][:120]}); save it again."
        ) from error
    if not stored:
        raise SourceError(f"{path} holds no weights; name a model's file.")
    return tree_model(
        stored,
        name=path.stem,
        source=source,
        kind="keras",
        note=f"{path.name} is Keras', whose layers do not run in torch: its variables are known, "
        "so the estimate covers parameters, gradients and optimizer state, not activations.",
    )


def _stored(path: Path, file: Any, h5py: Any) -> Iterator[StoredTensor]:
    """The datasets below hard links, the optimizer's left out."""
    waiting, count = [("", file, 0)], 0
    while waiting:
        prefix, group, depth = waiting.pop()
        for key in group:
            count += 1
            if count > MOST_PARTS:
                raise SourceError(f"{path} has more parts than a model; name another file.")
            if group.get(key, getlink=True, getclass=True) is not h5py.HardLink:
                continue
            if not prefix and key in _OPTIMIZERS:
                continue
            found = group[key]
            name = f"{prefix}{key}"
            if len(name) > LONGEST_NAME or not name.isprintable():
                raise SourceError(f"{path} has a part called {name[:80]}; name another file.")
            if isinstance(found, h5py.Group):
                if depth < DEEPEST:
                    waiting.append((f"{name}.", found, depth + 1))
            elif isinstance(found, h5py.Dataset) and found.shape is not None:
                dtype = _TYPES.get(str(found.dtype))
                if dtype is not None:
                    shape = tuple(int(side) for side in found.shape)
                    if not is_shape(shape):
                        raise SourceError(
                            f"{path} is damaged: {name[:80]} has the shape {list(shape)}; save it "
                            "again."
                        )
                    size_bytes = prod(shape) * found.dtype.itemsize
                    yield StoredTensor(name, dtype, shape, size_bytes, path)
