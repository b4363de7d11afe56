"""One rank of many without the others: torch's own parallel code runs on weightless tensors.

A process group whose collectives do nothing (torch's fake backend) stands for the cluster, and
FSDP2, DDP, tensor and pipeline parallelism run as they are: they allocate their buffers, and the
watch sees them. FSDP2 takes its device from the mesh, which knows no weightless one, and checks
that parameters have values; both are put right while a step is recorded (names of torch 2.13).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import wraps
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from memplanner.tape.host_shards import weightless_host_shards
from memplanner.tape.own_meshes import own_meshes
from memplanner.tape.sharding_outcomes import outcomes_unseen
from memplanner.tape.streams import Streams
from memplanner.tape.watch import ROOT, StorageWatch

_BACKEND = "weightless"
_FULLY_SHARD = "torch.distributed.fsdp._fully_shard."
_WITH_A_HANDLE = ("_fsdp_init", "_fsdp_collectives", "_fsdp_param_group", "_fsdp_state")
META = torch.device("meta")


@contextmanager
def weightless_ranks(rank: int, ranks: int) -> Iterator[None]:
    """A world of ``ranks`` in which this process is ``rank`` and nobody else is there."""
    from torch.testing._internal.distributed.fake_pg import FakeStore, _create_fake_pg

    if _BACKEND not in dist.Backend.backend_list:
        dist.Backend.register_backend(
            _BACKEND, _create_fake_pg, extended_api=True, devices=["cpu", "meta"]
        )
    hook = sys.excepthook  # torch puts the rank's number before every line of a traceback
    dist.init_process_group(
        _BACKEND,
        store=FakeStore(),
        rank=rank,
        world_size=ranks,
    )
    try:
        with own_meshes(), outcomes_unseen(), _weightless_shards(), warnings.catch_warnings():
            # logits of split heads are views; nobody changes them in place
            warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")
            yield
    finally:
        dist.destroy_process_group()
        sys.excepthook = hook


@contextmanager
def _weightless_shards() -> Iterator[None]:
    """FSDP2 gathers into weightless tensors."""
    from torch.distributed.fsdp._fully_shard import (  # noqa: F401  (to be patched)
        _fsdp_collectives,
        _fsdp_init,
        _fsdp_param_group,
        _fsdp_state,
        _fully_shard,
    )

    with ExitStack() as stack:
        for module in _WITH_A_HANDLE:
            stack.enter_context(
                patch(f"{_FULLY_SHARD}{module}._get_device_handle", lambda kind: Streams)
            )
        for module in ("_fsdp_init", "_fully_shard"):
            stack.enter_context(
                patch(f"{_FULLY_SHARD}{module}._get_device_from_mesh", lambda mesh: META)
            )
        stack.enter_context(
            patch.object(
                _fsdp_param_group.FSDPParamGroup, "_validate_no_meta_params", lambda group: None
            )
        )
        stack.enter_context(weightless_host_shards())
        yield


def has_arrived(func: Any) -> bool:
    """Whether ``func`` waits for what a collective sends: nothing is under way between no ranks.

    A real device returns the very tensor, torch's weightless kernels a new one
    (``torch/distributed/_functional_collectives.py: wait_tensor, _wrap_tensor_autograd``).
    """
    return func.namespace == "_c10d_functional" and func._opname in _WAITS


_WAITS = ("wait_tensor", "_wrap_tensor_autograd")


@contextmanager
def watching_shards(watch: StorageWatch) -> Iterator[None]:
    """Inside it ``watch`` knows what torch's parallel code does beside operations.

    FSDP2's storages change their size without one. What FSDP2 makes to gather parameters or to
    reduce gradients, and DDP's buckets, are made for communication; where no module is at work,
    as when a pipeline's schedule asks for it, FSDP2 works for its unit.
    """
    from torch.distributed.fsdp._fully_shard._fsdp_param_group import FSDPParamGroup

    resize = torch.UntypedStorage.resize_

    def resized(storage: torch.UntypedStorage, size: int) -> Any:
        result = resize(storage, size)
        watch.resized(storage)
        return result

    with ExitStack() as stack:
        stack.enter_context(patch.object(torch.UntypedStorage, "resize_", resized))
        for owner, names in (
            (FSDPParamGroup, ("unshard", "wait_for_unshard", "post_backward")),
            (DistributedDataParallel, ("_pre_forward",)),
        ):
            for name in names:
                told = _communicating(watch, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, told))
        yield


def _communicating(watch: StorageWatch, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def told(owner: Any, *args: Any, **kwargs: Any) -> Any:
        unit = owner if isinstance(owner, nn.Module) else owner.modules[0]
        idle = watch.module_at_work == ROOT
        before, watch.communicates = watch.communicates, True
        try:
            with watch.working_for(unit) if idle else nullcontext():
                return method(owner, *args, **kwargs)
        finally:
            watch.communicates = before

    return told
