"""Moving a module to a device, the meta device included, with shared tensors still shared."""

from __future__ import annotations

import torch
from torch import nn


def move(module: nn.Module, device: torch.device) -> nn.Module:
    """``module`` with everything on ``device``; tensors that were shared stay shared."""
    tensors = [*module.parameters(), *module.buffers()]
    if all(tensor.device == device for tensor in tensors):
        return module
    if device.type != "meta":
        return module.to(device)
    # Module.to_empty and Module.to keep ties of parameters, since each is replaced in place per
    # owner; here one table serves all owners, and buffers that share stay shared too.
    moved: dict[int, torch.Tensor] = {}
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    table[name] = _weightless(tensor, moved)  # type: ignore[assignment] # same kind
    return module


def _weightless(tensor: torch.Tensor, moved: dict[int, torch.Tensor]) -> torch.Tensor:
    if tensor.device.type == "meta":
        return tensor
    if id(tensor) not in moved:
        empty = torch.empty_strided(
            tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta"
        )
        if isinstance(tensor, nn.Parameter):
            empty = nn.Parameter(empty, requires_grad=tensor.requires_grad)
        moved[id(tensor)] = empty
    return moved[id(tensor)]
