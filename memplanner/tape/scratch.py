"""What CPU kernels take for themselves while they run: measured, one call of each.

oneDNN reorders tensors for convolutions and half-precision products; how much depends on the
processor. So where the target is this machine's CPU, each such operation of a recording is run
once with its real shapes, and the allocator's account of it is kept for the process's life.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten

OPERATIONS = frozenset(
    {
        aten.mm.default,
        aten.addmm.default,
        aten.bmm.default,
        aten.baddbmm.default,
        aten.convolution.default,
        aten.convolution_backward.default,
        aten.native_batch_norm_backward.default,
        aten.mean.dim,
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
    }
)
"""Operations whose CPU kernels were seen to take more than their results."""

LARGEST_BYTES = 2**27
LARGEST_PRODUCT = 2**33
"""Multiplications. A larger call would take longer than its scratch is worth knowing."""
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


def describe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    """The call without its tensors, or None where its kernel takes nothing, or it is too large."""
    if func not in OPERATIONS:
        return None
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if not _worth_running(tensors):
        return None

    def shape(part: Any) -> Any:
        if isinstance(part, torch.Tensor):
            return _Shape((tuple(part.shape), part.stride(), part.dtype))
        return part

    return func, tree_map(shape, args), tree_map(shape, kwargs)


def _worth_running(tensors: list[torch.Tensor]) -> bool:
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size > LARGEST_BYTES or any(tensor.numel() == 0 for tensor in tensors):
        return False
    widest = sorted((tensor.numel() for tensor in tensors), reverse=True)[:2]
    return len(widest) < 2 or widest[0] * widest[1] ** 0.5 <= LARGEST_PRODUCT


def measure(calls: list[Call]) -> list[int]:
    """The scratch of each call in bytes: the highest the allocator went beyond the results."""
    keys = [_key(call) for call in calls]
    fresh = {key: call for key, call in zip(keys, calls, strict=True) if key not in _known}
    if fresh:
        _known.update(_run(fresh))
    return [_known[key] for key in keys]


def _key(call: Call) -> Hashable:
    return repr(call)


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
    events = _trace(profiler.export_chrome_trace)
    memory = sorted(
        (event["ts"], event["args"]["Bytes"]) for event in events if event.get("name") == "[memory]"
    )
    scratch = dict.fromkeys(order, 0)
    for event in events:
        name = event.get("name", "")
        if isinstance(name, str) and name.startswith(_LABEL) and "dur" in event:
            begin, end = event["ts"], event["ts"] + event["dur"]
            changes = [size for moment, size in memory if begin <= moment <= end]
            scratch[order[int(name.removeprefix(_LABEL))]] = _beyond_results(changes)
    return scratch


def _filled(value: Any) -> Any:
    return tree_map(
        lambda part: part.fill() if isinstance(part, _Shape) else part,
        value,
        is_leaf=lambda part: isinstance(part, _Shape),
    )


def _beyond_results(changes: list[int]) -> int:
    live = highest = 0
    for change in changes:
        live += change
        highest = max(highest, live)
    return max(highest - max(live, 0), 0)


def _trace(export: Callable[[str], Any]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        export(str(path))
        events: list[dict[str, Any]] = json.loads(path.read_text())["traceEvents"]
    return events
