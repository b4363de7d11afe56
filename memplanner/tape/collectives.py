"""Collectives of a recorded step: what is sent, and among which ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import _resolve_process_group

from memplanner.messages.estimate import CollectiveKind
from memplanner.tape.known_operations import once_an_operation


@dataclass(frozen=True, slots=True)
class Collective:
    """One call. ``payload_bytes`` is the whole: what is reduced, or what is gathered."""

    kind: CollectiveKind
    payload_bytes: int
    ranks: int
    """How many take part."""
    first: int
    last: int
    """The lowest and the highest of them."""


@dataclass(frozen=True, slots=True)
class _Call:
    kind: CollectiveKind
    whole: int
    """Which argument is the whole."""
    group: int
    """Which argument is the group."""
    gathers: bool = False
    """Whether the argument is one rank's share of the whole."""


_CALLS = {
    "c10d.allreduce_": _Call("all_reduce", 0, 1),
    "c10d.allreduce_coalesced_": _Call("all_reduce", 0, 1),
    "c10d._allgather_base_": _Call("all_gather", 0, 2),
    "c10d.allgather_": _Call("all_gather", 0, 2),
    "c10d.allgather_into_tensor_coalesced_": _Call("all_gather", 0, 2),
    "c10d._reduce_scatter_base_": _Call("reduce_scatter", 1, 2),
    "c10d.reduce_scatter_": _Call("reduce_scatter", 1, 2),
    "c10d.reduce_scatter_tensor_coalesced_": _Call("reduce_scatter", 1, 2),
    "c10d.broadcast_": _Call("broadcast", 0, 1),
    "c10d.alltoall_base_": _Call("all_to_all", 1, 2),
    "c10d.alltoall_": _Call("all_to_all", 1, 2),
    "c10d.send": _Call("send", 0, 1),
    "_c10d_functional.all_reduce": _Call("all_reduce", 0, 2),
    "_c10d_functional.all_reduce_": _Call("all_reduce", 0, 2),
    "_c10d_functional.all_gather_into_tensor": _Call("all_gather", 0, 2, gathers=True),
    "_c10d_functional.reduce_scatter_tensor": _Call("reduce_scatter", 0, 3),
    "_c10d_functional.broadcast": _Call("broadcast", 0, 2),
    "_c10d_functional.broadcast_": _Call("broadcast", 0, 2),
    "_c10d_functional.all_to_all_single": _Call("all_to_all", 0, 3),
}
"""By operation (``torch/csrc/distributed/c10d/Ops.cpp`` and ``Functional.cpp``)."""

_EXCHANGE = torch.ops._c10d_functional.all_to_all_single.default


@once_an_operation
def _call(func: Any) -> _Call | None:
    return _CALLS.get(str(func).rpartition(".")[0])


def sends(func: Any) -> bool:
    """Whether an operation may send something."""
    return _call(func) is not None


def collective(func: Any, args: Any) -> Collective | None:
    """What ``func`` sends; None where it is no collective, or one with nobody else."""
    call = _call(func)
    if call is None:
        return None
    group = args[call.group]
    ranks = _ranks(group)
    if len(ranks) == 1:
        return None
    kind = call.kind
    if kind == "send":
        ranks = [dist.get_rank(), ranks[args[2]]]
    elif func is _EXCHANGE and sum(size > 0 for size in args[2]) == 1:
        kind = "send"  # all to one: a step of a ring, which is as fast as its slowest link
    payload = _size_bytes(args[call.whole]) * (len(ranks) if call.gathers else 1)
    return Collective(kind, payload, len(ranks), min(ranks), max(ranks))


def _size_bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    return sum(_size_bytes(part) for part in value)


def _ranks(group: Any) -> list[int]:
    """The ranks of a group: by its name, in a box, or as it is."""
    if isinstance(group, str):
        group = _resolve_process_group(group)  # type: ignore[arg-type]  # a name is a string
    elif not isinstance(group, dist.ProcessGroup):
        group = dist.ProcessGroup.unbox(group)
    return dist.get_process_group_ranks(group)
