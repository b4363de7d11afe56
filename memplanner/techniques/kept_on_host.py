"""Tensors that autograd keeps, moved to host memory until backward asks for them.

As ``torch.autograd.graph.save_on_cpu``, but parameters and buffers stay, which that would copy,
and strides are preserved where they are dense.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks


class OnHost(NamedTuple):
    """A tensor of ``device`` that lies in host memory."""

    device: torch.device
    tensor: torch.Tensor
    """For a weightless one a weightless one: it says how much is moved."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype


InHost = Callable[[], AbstractContextManager[object]]
"""The context in which host memory is allocated: for whoever tells it from the device's."""


def keep_on_host(module: nn.Module, *, pin_memory: bool, in_host: InHost = nullcontext) -> None:
    """Makes the module's forward, from its next call on, keep its activations in host memory.

    Tensors of no dimension stay: a copy would cost more than they take.
    """
    plain_forward = module.forward

    @wraps(plain_forward)
    def forward(*args: Any, **kwargs: Any) -> Any:
        own = {
            part.untyped_storage()._cdata
            for parts in (module.parameters(), module.buffers())
            for part in parts
            if part.layout is torch.strided
        }

        def pack(tensor: torch.Tensor) -> torch.Tensor | OnHost:
            if tensor.layout is not torch.strided or tensor.dim() == 0:
                return tensor
            if tensor.untyped_storage()._cdata in own:
                return tensor
            with in_host():
                return to_host(tensor, pin_memory=pin_memory)

        with saved_tensors_hooks(pack, _unpack):
            return plain_forward(*args, **kwargs)

    module.forward = forward


def to_host(tensor: torch.Tensor, *, pin_memory: bool) -> OnHost:
    """A copy in host memory; with ``pin_memory`` the device goes on while it is made."""
    strides = _strides(tensor)
    if tensor.is_meta:
        copy = torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype, device="meta")
    else:
        copy = torch.empty_strided(
            tensor.shape, strides, dtype=tensor.dtype, device="cpu", pin_memory=pin_memory
        )
    copy.copy_(tensor, non_blocking=pin_memory)
    return OnHost(tensor.device, copy, tuple(tensor.shape), strides, tensor.dtype)


def _strides(tensor: torch.Tensor) -> tuple[int, ...]:
    """The tensor's own where it fills its memory, else those of a contiguous one."""
    if torch.ops.aten.is_non_overlapping_and_dense.default(tensor):
        return tuple(tensor.stride())
    strides = [1]
    for side in reversed(tensor.shape[1:]):
        strides.insert(0, strides[0] * side)
    return tuple(strides)


def _unpack(kept: torch.Tensor | OnHost) -> torch.Tensor:
    """What was kept, on its device."""
    if not isinstance(kept, OnHost):
        return kept
    back = torch.empty_strided(kept.shape, kept.strides, dtype=kept.dtype, device=kept.device)
    pinned = not kept.tensor.is_meta and kept.tensor.is_pinned()
    back.copy_(kept.tensor, non_blocking=pinned)
    return back
