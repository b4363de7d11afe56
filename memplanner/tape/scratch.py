"""What CPU kernels take for themselves while they run: measured, one call of each.

oneDNN reorders tensors for convolutions and half-precision products; how much depends on the
processor. So where the target is this machine's CPU, each such operation of a recording is run
once with its real shapes, and the allocator's account of it is kept for the process's life.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import prod
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._pytree import tree_leaves, tree_map

from memplanner.tape.allocator_trace import highest, read_trace

aten = torch.ops.aten

_PRODUCTS = frozenset({aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default})
_IN_HALVES = _PRODUCTS | {aten.mean.dim}
"""Operations whose kernels take scratch in half precision only."""
_ALWAYS = frozenset(
    {
        aten.convolution.default,
        aten.convolution_backward.default,
        aten.native_batch_norm_backward.default,
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
        aten.mkldnn_rnn_layer.default,
        aten.mkldnn_rnn_layer_backward.default,
        aten._linalg_svd.default,
        aten._scaled_mm.default,  # where the processor has none, of copies in fp32
    }
)
_HALVES = frozenset({torch.float16, torch.bfloat16})

LARGEST_MODEL_BYTES = 2**30
"""Parameters. A larger model is planned here for another machine."""
LARGEST_CALL_BYTES = 2**27
LARGEST_CALL_WORK = 2**29
"""Multiplications: some 50 ms. A longer call is left out."""
_LABEL = "memplanner scratch "

Call = tuple[Any, tuple[Any, ...], dict[str, Any]]
"""An operation with its arguments, tensors replaced by ``_Shape``."""

_known: dict[Hashable, int] = {}


class _Shape(tuple[Any, ...]):
    """A tensor without its values: sizes, strides, type."""

    __slots__ = ()

    def fill(self) -> torch.Tensor:
        """A tensor of zeros of this shape, on the CPU."""
        sizes, strides, dtype = self
        return torch.empty_strided(sizes, strides, dtype=dtype).zero_()


def takes_scratch(func: Any) -> bool:
    """Whether a kernel of ``func`` may take scratch."""
    return func in _ALWAYS or func in _IN_HALVES


def describe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    """The call without its tensors, or None where its kernel takes nothing, or it is too large."""
    if func not in _ALWAYS and func not in _IN_HALVES:
        return None
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if func in _IN_HALVES and tensors[0].dtype not in _HALVES:
        return None
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size > LARGEST_CALL_BYTES or _work(func, args, tensors) > LARGEST_CALL_WORK:
        return None

    def shape(part: Any) -> Any:
        if isinstance(part, torch.Tensor):
            return _Shape((tuple(part.shape), part.stride(), part.dtype))
        return part

    return func, tree_map(shape, args), tree_map(shape, kwargs)


def _work(func: Any, args: tuple[Any, ...], tensors: list[torch.Tensor]) -> int:
    """Multiplications of a call, roughly; without an element there is nothing to run."""
    sizes = [tensor.numel() for tensor in tensors]
    if 0 in sizes:
        return LARGEST_CALL_WORK + 1
    if func in _PRODUCTS:
        return sizes[-2] * tensors[-1].size(-1)
    if func is aten._scaled_mm.default:
        return sizes[0] * tensors[1].size(-1)
    if func is aten.convolution.default:  # outputs are as many as inputs, or fewer by the strides
        weight = sizes[1] // max(tensors[1].size(0), 1)
        outputs = sizes[0] // max(tensors[0].size(1), 1) * tensors[1].size(0) // prod(args[3])
        return sizes[0] * weight if args[6] else outputs * weight
    if func is aten.convolution_backward.default:
        transposed = args[7]
        weight = sizes[2] // max(tensors[2].size(0), 1)
        return 2 * (sizes[1] if transposed else sizes[0]) * weight
    if func is aten._linalg_svd.default:  # some twenty products of its matrix and itself
        return 20 * sizes[0] * min(tensors[0].shape)
    if func in _ALWAYS and tensors[0].dim() == 4 and "attention" in str(func):
        return 2 * sizes[0] * tensors[1].size(2)
    return max(sizes)


def measure(calls: list[Call]) -> list[int]:
    """The scratch of each call in bytes: the highest the allocator went beyond the results."""
    keys = [_key(call) for call in calls]
    fresh = {key: call for key, call in zip(keys, calls, strict=True) if key not in _known}
    if fresh:
        _known.update(_run(fresh))
    return [_known[key] for key in keys]


def _key(call: Call) -> Hashable:
    return torch.get_num_threads(), repr(call)  # each thread has its own


def _run(calls: dict[Hashable, Call]) -> dict[Hashable, int]:
    """Runs each call once, all under one profile; the trace's labels tell them apart."""
    order = list(calls)
    with torch.no_grad(), profile(
        activities=[ProfilerActivity.CPU], profile_memory=True
    ) as profiler:  # fmt: skip
        for number, key in enumerate(order):
            func, args, kwargs = calls[key]
            real_args, real_kwargs = _filled(args), _filled(kwargs)
            with record_function(f"{_LABEL}{number}"):
                result = func(*real_args, **real_kwargs)
            del result, real_args, real_kwargs
    trace = read_trace(profiler.export_chrome_trace)
    scratch = dict.fromkeys(order, 0)
    for name, begin, end in trace.labels:
        if name.startswith(_LABEL):
            changes = trace.within(begin, end)
            scratch[order[int(name.removeprefix(_LABEL))]] = _beyond_results(changes)
    return scratch


def _filled(value: Any) -> Any:
    return tree_map(
        lambda part: part.fill() if isinstance(part, _Shape) else part,
        value,
        is_leaf=lambda part: isinstance(part, _Shape),
    )


def _beyond_results(changes: list[int]) -> int:
    return max(highest(changes) - max(sum(changes), 0), 0)
