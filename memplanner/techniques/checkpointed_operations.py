"""The operations whose results a recomputed block can keep, as torch's kernels are called.

Several kernels of one operation have one name, so that a choice made for one device means the
same on another.
"""

from __future__ import annotations

from typing import Any

import torch

_KERNELS: dict[str, tuple[str, ...]] = {
    "mm": ("mm", "_scaled_mm"),  # a product in fp8 is one: torchao's calls ``mm`` for it
    "addmm": ("addmm",),
    "bmm": ("bmm",),
    "baddbmm": ("baddbmm",),
    "convolution": ("convolution",),
    "attention": (
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_fused_attention_overrideable",
    ),
    "layer_norm": ("native_layer_norm",),
    "rms_norm": ("_fused_rms_norm",),
    "group_norm": ("native_group_norm",),
    "batch_norm": (
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_batch_norm_with_update",
        "cudnn_batch_norm",
        "miopen_batch_norm",
    ),
    "softmax": ("_softmax", "_log_softmax"),
    "gelu": ("gelu",),
    "silu": ("silu",),
    "relu": ("relu",),
    "sigmoid": ("sigmoid",),
    "tanh": ("tanh",),
    "dropout": ("native_dropout",),
    "mul": ("mul",),
    "add": ("add",),
}
"""In ``torch.ops.aten``, by the plan's names."""

EVERY_SECOND = {"every_second_mm": "mm"}
"""Names that stand for the first, third, … result of another one in a run of a block."""

NAMES: dict[Any, str] = {
    getattr(torch.ops.aten, kernel): name
    for name, kernels in _KERNELS.items()
    for kernel in kernels
    if hasattr(torch.ops.aten, kernel)
}
"""The plan's name of each of torch's operations that has one."""


def name_of(operation: Any) -> str | None:
    """The plan's name of an overload such as ``aten.mm.default``, or None."""
    return NAMES.get(getattr(operation, "overloadpacket", operation))


def kernels_of(name: str) -> tuple[str, ...]:
    """The kernels in ``torch.ops.aten`` that a name stands for."""
    return _KERNELS[EVERY_SECOND.get(name, name)]
