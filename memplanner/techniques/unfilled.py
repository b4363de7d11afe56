"""Weightless parameters are not filled: torch works out each filling in Python, for nothing."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_FILLS = frozenset(
    {
        torch.nn.init.kaiming_uniform_,
        torch.nn.init.kaiming_normal_,
        torch.nn.init.uniform_,
        torch.nn.init.normal_,
        torch.nn.init.zeros_,
        torch.nn.init.ones_,
        torch.Tensor.uniform_,
        torch.Tensor.normal_,
        torch.Tensor.zero_,
        torch.Tensor.fill_,
    }
)


class Unfilled(TorchFunctionMode):
    """Inside it tensors on the meta device are left as they are where they would be filled."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in _FILLS:
            filled = args[0] if args else given.get("tensor")
            if isinstance(filled, torch.Tensor) and filled.is_meta:
                return filled
        return func(*args, **given)
