"""What an operation's kernel reads, writes and computes, by its schema: found out once for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import (
    flop_registry,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from memplanner.tape.known_operations import once_an_operation
from memplanner.tape.work import ATTENTION, OTHER, PRODUCT

aten = torch.ops.aten
Flops = Callable[[tuple[Any, ...], dict[str, Any], Any], int]


class Facts(NamedTuple):
    """What is known of an operation before it is called."""

    name: str
    kind: int
    """``OTHER``, ``PRODUCT`` or ``ATTENTION``."""
    passes: tuple[int, ...]
    """How often each argument's bytes are read and written: 2 for one that is changed in place."""
    flops: Flops | None
    causal: int | None
    """Which argument says that scores above the diagonal are left out."""
    new: bool
    """Whether its results are new tensors, which it writes."""
    copies: bool
    """Whether it moves a tensor to where another lies."""


@once_an_operation
def facts_of(func: Any) -> Facts | None:
    """The facts; None for what starts no kernel: views, and memory that is not filled."""
    name = str(func)
    packet = getattr(func, "overloadpacket", func)
    short = getattr(packet, "__name__", name)
    schema = getattr(func, "_schema", None)
    if schema is None or short in _NOTHING:
        return None
    written = [
        argument.alias_info is not None and argument.alias_info.is_write
        for argument in schema.arguments
    ]
    new = any(part.alias_info is None for part in schema.returns)
    if not any(written) and (not new or short in _VIEWS):
        return None
    passes = [1 + changed for changed in written]
    if short.startswith("_fused_") and len(passes) > 1:
        passes[1] = 1  # gradients are changed by a loss scaler's factor alone
    if short in _ONLY_WRITES:
        passes[0] = 1
    if short in _PICKS:
        passes[_PICKS[short]] = 0
    flops = _flops_of(packet)
    places = {argument.name: place for place, argument in enumerate(schema.arguments)}
    kind = OTHER if flops is None else ATTENTION if "attention" in short else PRODUCT
    return Facts(name, kind, tuple(passes), flops, places.get("is_causal"), new, short in _COPIES)


_NOTHING = frozenset(
    {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "set_", "resize_",
     "_local_scalar_dense", "is_same_size", "record_stream", "_record_function_enter_new",
     "_record_function_exit", "is_pinned"}
)  # fmt: skip
_VIEWS = frozenset({"_unsafe_view", "_reshape_alias", "lift_fresh", "detach", "alias"})
"""Of results that share memory although the schema does not say so, and of those that do."""
_ONLY_WRITES = frozenset(
    {"copy_", "zero_", "fill_", "normal_", "uniform_", "random_", "exponential_", "bernoulli_",
     "_foreach_copy_", "_foreach_zero_"}
)  # fmt: skip
_PICKS = {
    "embedding": 0, "index_select": 0, "gather": 0, "index": 0, "nll_loss_forward": 0,
    "index_put_": 0, "index_add_": 0, "scatter_": 0, "scatter_add_": 0, "_index_put_impl_": 0,
    "nll_loss_backward": 1,
}  # fmt: skip
"""Operations that take a few elements of an argument: as many as another one or the result has."""
_COPIES = frozenset({"copy_", "_to_copy", "_foreach_copy_"})


def _flops_of(packet: Any) -> Flops | None:
    places = _MATRICES.get(packet)
    if places is not None:
        first, second = places
        return lambda args, kwargs, result: 2 * args[first].numel() * int(args[second].size(-1))
    own = _OWN.get(packet)
    if own is not None:
        return own
    formula = flop_registry.get(packet)
    if formula is None:
        return None
    known: dict[Any, int] = {}

    def counted(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
        key = tuple(map(_shape_key, args))
        count = known.get(key)
        if count is None:
            count = known[key] = int(formula(*args, **kwargs, out_val=result))
        return count

    return counted


def _shape_key(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.shape
    return tuple(value) if isinstance(value, list) else value


_MATRICES: dict[Any, tuple[int, int]] = {
    aten.mm: (0, 1),
    aten.bmm: (0, 1),
    aten.addmm: (1, 2),
    aten.baddbmm: (1, 2),
    aten._scaled_mm: (0, 1),
    aten._int_mm: (0, 1),
    aten._grouped_mm: (0, 1),
}
"""Products of (…, m, k) and (…, k, n): 2 · m · k · n. Of experts' products each row meets one."""


def _flash_for_cpu(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    return int(sdpa_flop_count(*(part.shape for part in args[:3])))


def _flash_for_cpu_backward(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    return int(sdpa_backward_flop_count(*(part.shape for part in args[:4])))


_OWN: dict[Any, Flops] = {
    aten._scaled_dot_product_flash_attention_for_cpu: _flash_for_cpu,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _flash_for_cpu_backward,
}
"""torch's registry has the CUDA kernels of attention alone."""
