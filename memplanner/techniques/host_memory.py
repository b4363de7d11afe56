"""Tensors that lie in host memory, told apart from the device's on any device.

A weightless copy has one kind of memory, and so has a CPU. What a plan puts into host memory is
made inside of ``in_host_memory``, so that whoever watches storages does not count it as the
device's.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch

HOST = "host"
"""The device of such storages, as a watch names it."""

_depth = 0
_storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}


@contextmanager
def in_host_memory() -> Iterator[None]:
    """Storages that are made here lie in host memory."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def put_in_host_memory(tensor: torch.Tensor) -> None:
    """Says so of a tensor that no watch sees the making of."""
    _note(tensor.untyped_storage())


def lies_in_host_memory(storage: torch.UntypedStorage, *, new: bool) -> bool:
    """Whether a storage lies there; a ``new`` one does by where it is seen first."""
    if new and _depth:
        _note(storage)
    return storage._cdata in _storages


def some_lie_there() -> bool:
    """Whether any storage is known to lie in host memory."""
    return bool(_storages)


def lies_there(tensor: torch.Tensor) -> bool:
    """Whether a strided tensor's storage is known to lie in host memory."""
    return tensor.layout is torch.strided and tensor.untyped_storage()._cdata in _storages


def _note(storage: torch.UntypedStorage) -> None:
    key = storage._cdata
    _storages[key] = weakref.ref(storage, lambda _: _storages.pop(key, None))
