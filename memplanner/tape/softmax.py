"""Softmax in fp32 of fp16: CUDA's kernel widens while it reads, where other devices copy first.

Source: ``aten/src/ATen/native/SoftMax.cpp`` (``softmax``, ``log_softmax``). A bf16 input is copied
on every device.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

aten = torch.ops.aten

_PLAIN = frozenset({F.softmax, torch.softmax, torch.Tensor.softmax})
_LOGARITHMIC = frozenset({F.log_softmax, torch.log_softmax, torch.Tensor.log_softmax})
SOFTMAX = _PLAIN | _LOGARITHMIC
"""All that ``widened`` may make another call of."""
_WITH_STACK_LEVEL = frozenset({F.softmax, F.log_softmax})
WIDENING_KINDS = frozenset({"cuda", "rocm", "xpu"})
"""Of devices whose kernel does."""


def widened(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, autocast: bool
) -> torch.Tensor | None:
    """The softmax in fp32 of an fp16 tensor, or None where ``func`` is another call.

    ``autocast`` asks for fp32 where the call names no type.
    """
    if func not in _PLAIN and func not in _LOGARITHMIC:
        return None
    names = ("input", "dim", *(("_stacklevel",) if func in _WITH_STACK_LEVEL else ()), "dtype")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    kind = given.get("dtype") or (torch.float32 if autocast else None)
    tensor, dim = given.get("input"), given.get("dim")
    if kind is not torch.float32 or not isinstance(dim, int):
        return None
    if not isinstance(tensor, torch.Tensor) or not tensor.is_meta:
        return None
    if tensor.dtype is not torch.float16:
        return None
    operation = aten._softmax if func in _PLAIN else aten._log_softmax
    result: torch.Tensor = operation(tensor, dim, True)
    return result
