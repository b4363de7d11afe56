"""Results whose type differs between the meta device and the target.

Normalizations return their statistics in float32 on the meta device, as CUDA does. On the CPU they
have the input's type unless the weight is wider (``aten/src/ATen/native/cpu/mixed_data_type.h``),
group norm's on every device (``aten/src/ATen/native/group_norm.cpp``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from memplanner.tape.known_operations import once_an_operation

aten = torch.ops.aten
_HALVES = frozenset({torch.float16, torch.bfloat16})

_STATISTICS: dict[Any, int] = {
    aten.native_layer_norm.default: 2,
    aten.native_batch_norm.default: 1,
    aten._native_batch_norm_legit.default: 1,
}
"""Operations that return (output, mean, rstd), with the place of the weight among the arguments."""


_KEEPS_ELEMENTWISE = frozenset({aten.mse_loss.default, aten.smooth_l1_loss.default})
"""Losses whose reduced result lies in the storage of the unreduced one.

Their kernels are structured: the result is allocated for every element, then resized to one number
(``aten/src/ATen/native/Loss.cpp``: ``TORCH_META_FUNC(mse_loss)``). True on the CPU and on CUDA.
"""
_NO_REDUCTION = 0
_CONTIGUOUS = frozenset(
    {aten._softmax_backward_data.default, aten._log_softmax_backward_data.default}
)
"""Whose results are contiguous whatever the gradient is (``aten/src/ATen/native/SoftMax.cpp``)."""


def on_cpu(func: Any, args: tuple[Any, ...], result: Any) -> Any:
    """``result`` of ``func`` on meta tensors as the CPU's kernel would give it."""
    result = as_on_every_device(func, args, result)
    if func is aten._embedding_bag.default:
        return _embedding_bag(result, args[1], args[4] if len(args) > 4 else 0)
    place = _STATISTICS.get(func)
    if place is None or args[0].dtype not in _HALVES:
        return result
    return _with_statistics(result, args[0], args[place] if len(args) > place else None)


def _embedding_bag(result: Any, indices: torch.Tensor, mode: int) -> Any:
    """The CPU's own places and counts (``aten/src/ATen/native/EmbeddingBag.cpp``).

    Sums need no places; the places have one more than indices; only a maximum has its own.
    """
    output, places, counts, maxima = result
    summed, largest = mode == 0, mode == 2
    places = places.new_empty(0 if summed else indices.numel() + 1)[: indices.numel()]
    return output, places, counts, maxima if largest else counts.new_empty(output.size(0))


def _with_statistics(result: Any, given: torch.Tensor, weight: Any) -> Any:
    """Mean and rstd in the input's type, or in float32 where the weight is wider."""
    mixed = isinstance(weight, torch.Tensor) and weight.dtype is not given.dtype
    dtype = torch.float32 if mixed else given.dtype
    output, mean, rstd = result[:3]
    return (output, mean.to(dtype), rstd.to(dtype), *result[3:])


def as_on_every_device(func: Any, args: tuple[Any, ...], result: Any) -> Any:
    """``result`` as a real device gives it; for the rest the meta device gives what CUDA gives."""
    if not _differs(func):
        return result
    if func is aten.convolution.default and _channels_last(args[0]):
        return result.contiguous(memory_format=torch.channels_last)
    if func is aten.native_layer_norm_backward.default and result[0] is not None:
        return (result[0].contiguous(), *result[1:])  # whatever the gradient's layout
    if func in _CONTIGUOUS:
        return result.contiguous()
    if func is aten.native_group_norm.default and args[0].dtype in _HALVES:
        return _with_statistics(result, args[0], args[1])
    if func is aten.native_group_norm_backward.default and result[0] is not None:
        return (result[0].to(args[1].dtype), *result[1:])
    if func in _KEEPS_ELEMENTWISE and result.device.type == "meta":
        reduction = args[2] if len(args) > 2 else 1
        if reduction != _NO_REDUCTION:
            shape = torch.broadcast_shapes(args[0].shape, args[1].shape)
            return result.new_empty(shape).resize_(())
    return result


@once_an_operation
def _differs(func: Any) -> bool:
    """Whether a real device may give another result."""
    return func in _DIFFERING


_DIFFERING = (
    _CONTIGUOUS
    | _KEEPS_ELEMENTWISE
    | {
        aten.convolution.default,
        aten.native_layer_norm_backward.default,
        aten.native_group_norm.default,
        aten.native_group_norm_backward.default,
    }
)


def _channels_last(tensor: torch.Tensor) -> bool:
    """Whether oneDNN and cuDNN keep a convolution's result in this layout, as its input is."""
    return (
        tensor.dim() == 4
        and tensor.is_contiguous(memory_format=torch.channels_last)
        and not tensor.is_contiguous()
    )


Correction = Callable[[Any, tuple[Any, ...], Any], Any]
