"""A shortcut's result is the result that torch infers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from memplanner.tape.shortcuts import shortcut, updates_weightless

aten = torch.ops.aten
TYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.bool]
BINARY = [aten.mul.Tensor, aten.add.Tensor, aten.sub.Tensor, aten.div.Tensor]
UNARY = [
    aten.silu.default, aten.neg.default, aten.rsqrt.default, aten.gelu.default, aten.tanh.default
]  # fmt: skip
BACKWARD = [
    aten.silu_backward.default, aten.gelu_backward.default, aten.tanh_backward.default
]  # fmt: skip


def described(tensor: torch.Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device.type


@st.composite
def tensors(draw: st.DrawFn, shape: SearchStrategy[tuple[int, ...]]) -> torch.Tensor:
    sizes = draw(shape)
    tensor = torch.empty(sizes, dtype=draw(st.sampled_from(TYPES)), device="meta")
    kind = draw(st.sampled_from(["plain", "plain", "transposed", "expanded", "strided"]))
    if kind == "transposed" and tensor.dim() >= 2:
        tensor = tensor.transpose(0, -1)
    elif kind == "expanded" and tensor.dim():
        tensor = tensor[:1].expand(sizes)
    elif kind == "strided" and tensor.dim():
        tensor = torch.empty((*sizes, 2), dtype=tensor.dtype, device="meta")[..., 0]
    return tensor


shapes = st.lists(st.sampled_from([1, 2, 3, 0]), max_size=3).map(tuple)
scalars = st.sampled_from([2, 0.5, True])


def same(func: Any, *args: Any, **kwargs: Any) -> None:
    """Either no shortcut, or what torch gives."""
    quick = shortcut(func, args, kwargs)
    if quick is None:
        return
    assert described(quick) == described(func(*args, **kwargs))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(BINARY), tensors(shapes), st.one_of(tensors(shapes), scalars))
def test_arithmetic(func: Any, first: torch.Tensor, second: Any) -> None:
    if isinstance(second, torch.Tensor):
        try:
            torch.broadcast_shapes(first.shape, second.shape)
        except RuntimeError:
            assume(False)
    if func is aten.sub.Tensor:
        kinds = {first.dtype, getattr(second, "dtype", type(second))}
        assume(not kinds & {torch.bool, bool})
    same(func, first, second)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(UNARY), tensors(shapes))
def test_functions(func: Any, tensor: torch.Tensor) -> None:
    assume(tensor.is_floating_point())
    same(func, tensor)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(BACKWARD), tensors(shapes), st.data())
def test_their_backward(func: Any, gradient: torch.Tensor, data: st.DataObject) -> None:
    assume(gradient.is_floating_point())
    other = data.draw(tensors(st.just(tuple(gradient.shape))))
    assume(other.dtype is gradient.dtype)
    same(func, gradient, other)


def test_the_common_case_is_short() -> None:
    first = torch.empty(2, 3, device="meta")
    for func in BINARY:
        assert shortcut(func, (first, torch.empty(3, device="meta")), {}) is not None
    for func in UNARY:
        assert shortcut(func, (first,), {}) is not None
    assert shortcut(aten.mm.default, (first, first.t()), {}) is None
    assert shortcut(aten.mul.Tensor, (torch.empty(2), torch.empty(2)), {}) is None


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("first", "second"),
    [((10, 16), (3, 16, 24)), ((16, 10), (10, 24)), ((3, 10, 16), (3, 16, 24))],
    ids=["tokens by experts", "gradients of the weights", "batched"],
)
def test_experts_products_are_those_of_the_cpu(
    first: tuple[int, ...], second: tuple[int, ...], kind: torch.dtype
) -> None:
    """The meta device takes one type only, kernels take all."""
    ends = None if len(first) == 3 else torch.tensor([3, 7, 10], dtype=torch.int32)
    one, two = torch.zeros(first, dtype=kind), torch.zeros(second, dtype=kind)
    if two.dim() == 2:
        one = torch.zeros(first[::-1], dtype=kind).t()
    real = torch._grouped_mm(one, two, offs=ends)
    on_meta = (one.to("meta"), two.to("meta"), None if ends is None else ends.to("meta"))
    func = aten._grouped_mm.default
    weightless = shortcut(func, on_meta, {})
    if weightless is None:
        weightless = func(*on_meta)
    assert described(weightless)[:3] == described(real)[:3]


def test_only_changes_of_weightless_values_are_left_out() -> None:
    weightless, real = torch.empty(3, device="meta"), torch.empty(3)
    assert updates_weightless(aten.add_.Tensor, (weightless, 1))
    assert updates_weightless(aten._foreach_add_.Scalar, ([weightless], 1))
    assert not updates_weightless(aten.add_.Tensor, (real, 1))
    assert not updates_weightless(aten.add.Tensor, (weightless, 1))
    assert not updates_weightless(aten.resize_.default, (weightless, [4]))
    assert not updates_weightless(aten._foreach_add_.Scalar, ([], 1))
