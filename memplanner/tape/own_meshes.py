"""Device meshes of a weightless world: those that are like an earlier world's are one to torch.

torch compares meshes by the ranks in them, and DTensor keeps what it found for one in caches that
outlive the world. Ranks that stand alike in their meshes find the same, as those of a pipeline's
stages, which are recorded one after another. So meshes are told apart by where the rank stands,
too, and those of an earlier world that are like a new one become it, with its process groups. No
real mesh is like any of them.

Names are torch 2.13's; where they are not there, meshes of two worlds are never alike, and all
groups are made.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist

_MOST_OUTCOMES = 500
"""So many may DTensor keep for later worlds."""
_WORLD = "_weightless_world"
"""The attribute of a mesh that names its world."""
_held: dict[object, list[weakref.ref[Any]]] = {}
"""The meshes of all worlds that are still held, by what torch compares."""


@contextmanager
def own_meshes() -> Iterator[None]:
    """Inside it meshes belong to this world, whose process group must be there."""
    from torch.distributed.device_mesh import DeviceMesh

    world, made = object(), DeviceMesh.__init__

    def make(mesh: Any, *given: Any, **named: Any) -> None:
        made(mesh, *given, **named)
        told = hasattr(mesh, "_hash_key")
        place = getattr(mesh, "_coordinate_on_dim", world) if told else world
        mesh._thread_id = "weightless", dist.get_world_size(), place  # torch only compares it
        vars(mesh)[_WORLD] = world
        if told:
            _become(mesh, world)

    with patch.object(DeviceMesh, "__init__", make), _own_groups(), _joined_once():
        try:
            yield
        finally:
            _forget_many()


def _become(mesh: Any, world: object) -> None:
    """Makes the meshes of earlier worlds that are like ``mesh`` be the same as it."""
    key = mesh._hash_key()
    alike = [ref for ref in _held.get(key, ()) if ref() is not None]
    for ref in alike:
        other = ref()
        if other is not None and vars(other)[_WORLD] is not world:
            other.__dict__ = mesh.__dict__  # what its maker adds later holds for all
    _held[key] = [*alike, weakref.ref(mesh)]


def _own_groups() -> AbstractContextManager[Any]:
    """Inside it meshes make those groups only that the rank is in, and each of them once."""
    from torch.distributed.device_mesh import DeviceMesh

    made = getattr(DeviceMesh, "_init_one_process_group", None)
    expected = ["sub_layout", "rank_map", "dim_name", "backend_override"]
    if made is None or list(inspect.signature(made).parameters) != expected:
        return nullcontext()
    from torch.distributed._mesh_layout import _MeshLayout

    known: dict[tuple[int, ...], str] = {}

    def make(sub_layout: Any, rank_map: torch.Tensor, dim_name: str, backend_override: Any) -> Any:
        rank = dist.get_rank()
        rows = _MeshLayout([sub_layout]).remap_to_tensor(rank_map)
        own = tuple(rows[(rows == rank).any(dim=1)].flatten().tolist())
        if backend_override != (None, None) or len(own) in (0, dist.get_world_size()):
            return made(sub_layout, rank_map, dim_name, backend_override)
        if own not in known:
            known[own] = dist.new_group(list(own), group_desc=f"mesh_{dim_name}").group_name
        return known[own]

    return patch.object(DeviceMesh, "_init_one_process_group", staticmethod(make))


def _joined_once() -> AbstractContextManager[Any]:
    """Inside it meshes that are joined again are the joined mesh from before.

    FSDP2 joins its mesh with tensor parallel's for every single parameter.
    """
    from torch.distributed.device_mesh import DeviceMesh

    made = getattr(DeviceMesh, "_concatenate", None)
    if made is None or list(inspect.signature(made).parameters) != ["device_mesh_list"]:
        return nullcontext()
    known: dict[tuple[int, ...], tuple[list[Any], Any]] = {}

    def join(device_mesh_list: list[Any]) -> Any:
        key = tuple(map(id, device_mesh_list))
        if key not in known:  # what is joined is held, so that its numbers stay its own
            known[key] = list(device_mesh_list), made(device_mesh_list)
        return known[key][1]

    return patch.object(DeviceMesh, "_concatenate", staticmethod(join))


def _forget_many() -> None:
    """Empties DTensor's caches, as far as it does so itself, once they hold a lot."""
    for key in [key for key, refs in _held.items() if all(ref() is None for ref in refs)]:
        del _held[key]
    if "torch.distributed.tensor" not in sys.modules:
        return
    from torch.distributed.tensor import debug

    kept = debug._get_python_sharding_prop_cache_info().currsize
    kept += debug._get_fast_path_sharding_prop_cache_stats()[1]
    if kept > _MOST_OUTCOMES:
        debug._clear_sharding_prop_cache()
