"""Gradients that autograd's engine adds in place, which a dispatch mode would hinder.

Where several operations used one tensor, the engine sums their gradients: into the first one, if
nothing else refers to it (``torch/csrc/autograd/input_buffer.cpp``: ``can_accumulate_inplace``).
While any dispatch mode is on it makes a new tensor for the sum instead. A watch undoes that.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_ADD = torch.ops.aten.add.Tensor


def adds_in_place(func: Any, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Whether ``func``, called in a backward, is the engine's sum, and is made in place without us.

    To be asked outside of modules: a recomputed forward adds for itself.
    """
    if func is not _ADD or kwargs or len(args) != 2:
        return False
    first, second = args
    return bool(
        isinstance(first, torch.Tensor)
        and isinstance(second, torch.Tensor)
        and first.shape == second.shape
        and first.dtype is second.dtype
        and not torch.is_grad_enabled()
        and torch._C._current_autograd_node() is not None
        and _references(first) == only_reference()
        and torch.ops.aten.is_non_overlapping_and_dense.default(first)
    )


def _references(tensor: torch.Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    uses: int = tensor._use_count()  # type: ignore[attr-defined]  # torch's stubs lack it
    return uses, torch._C._storage_Use_Count(storage._cdata)


@cache
def only_reference() -> tuple[int, int]:
    """What a mode counts of a gradient that only the engine refers to; call it outside of modes."""
    with _Count() as mode, torch.enable_grad():
        value = torch.empty(2, 2, device="meta", requires_grad=True) * 1
        (value.sin().sum() + value.cos().sum()).backward()
    seen: list[tuple[int, int]] = mode.seen
    return seen[-1]


class _Count(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own lack of types
        self.seen: list[tuple[int, int]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is _ADD and args[0].dim() == 2:
            self.seen.append(_references(args[0]))
        return func(*args, **(kwargs or {}))
