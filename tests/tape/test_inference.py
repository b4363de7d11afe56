"""A remembered result is the inferred one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from memplanner.tape.inference import Inference
from memplanner.tape.results import as_on_every_device, on_cpu

aten = torch.ops.aten


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def half(*shape: int) -> torch.Tensor:
    return meta(*shape, dtype=torch.bfloat16)


CALLS: dict[str, Callable[[], tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {
    "product": lambda: (aten.mm.default, (meta(3, 4), meta(4, 5)), {}),
    "product of a transposed": lambda: (aten.mm.default, (meta(4, 3).t(), meta(4, 5)), {}),
    "several results": lambda: (
        aten.native_layer_norm.default, (half(2, 8), [8], half(8), half(8), 1e-5), {}
    ),
    "results in a list": lambda: (aten._foreach_sqrt.default, ([meta(2), meta(3, 3)],), {}),
    "absent results": lambda: (
        aten.convolution_backward.default,
        (meta(1, 2, 4, 4), meta(1, 3, 4, 4), meta(2, 3, 1, 1), [2], [1, 1], [0, 0], [1, 1], False,
         [0, 0], 1, [False, True, True]), {},
    ),
    "another layout": lambda: (
        aten.convolution.default,
        (meta(1, 3, 4, 4).to(memory_format=torch.channels_last), meta(2, 3, 1, 1), None, [1, 1],
         [0, 0], [1, 1], False, [0, 0], 1), {},
    ),
    "another type": lambda: (aten._to_copy.default, (meta(3),), {"dtype": torch.float16}),
    "promotion by a number": lambda: (aten.mul.Scalar, (meta(3, dtype=torch.int64), 2.0), {}),
    "a reduced loss, which keeps its elements": lambda: (
        aten.mse_loss.default, (meta(4, 4), meta(4, 4)), {}
    ),
    "padded rows": lambda: (
        aten._grouped_mm.default,
        (meta(6, 8), meta(2, 8, 3), meta(2, dtype=torch.int32)), {},
    ),
}  # fmt: skip


def parts(result: Any) -> list[Any]:
    leaves = [result] if isinstance(result, torch.Tensor) else list(result)
    return [
        leaf
        if leaf is None
        else (leaf.shape, leaf.stride(), leaf.dtype, leaf.untyped_storage().nbytes())
        for leaf in leaves
    ]


@pytest.mark.parametrize("correct", [on_cpu, as_on_every_device])
@pytest.mark.parametrize("name", CALLS)
def test_a_second_result_is_like_the_first(name: str, correct: Any) -> None:
    infer = Inference(correct)
    first = infer(*CALLS[name]())
    second = infer(*CALLS[name]())
    assert parts(first) == parts(second)
    assert type(first) is type(second)
    storages = [
        leaf.untyped_storage()._cdata
        for result in (first, second)
        for leaf in ([result] if isinstance(result, torch.Tensor) else result)
        if leaf is not None
    ]
    assert len(set(storages)) == len(storages)


def test_numbers_of_another_kind_are_another_call() -> None:
    infer = Inference(on_cpu)
    whole = meta(3, dtype=torch.int64)
    assert infer(aten.mul.Scalar, (whole, 1), {}).dtype is torch.int64
    assert infer(aten.mul.Scalar, (whole, 1.0), {}).dtype is torch.float32


def test_a_model_may_change_the_default_type() -> None:
    infer = Inference(on_cpu)
    whole = meta(3, dtype=torch.int64)
    before = torch.get_default_dtype()
    try:
        for kind in (torch.float32, torch.bfloat16):
            torch.set_default_dtype(kind)
            assert infer(aten.div.Tensor, (whole, whole), {}).dtype is kind
    finally:
        torch.set_default_dtype(before)


def test_a_view_stays_a_view() -> None:
    infer = Inference(on_cpu)
    for _ in range(2):
        whole = meta(3, 4)
        view = infer(aten.transpose.int, (whole, 0, 1), {})
        assert view.untyped_storage()._cdata == whole.untyped_storage()._cdata


def test_what_is_written_in_place_is_returned_itself() -> None:
    infer = Inference(on_cpu)
    for _ in range(2):
        whole = meta(3)
        assert infer(aten.add_.Tensor, (whole, meta(3)), {}) is whole


def test_real_tensors_are_computed() -> None:
    infer = Inference(on_cpu)
    for value in (1.0, 2.0):
        result = infer(aten.add.Tensor, (torch.tensor([value]), torch.tensor([1.0])), {})
        assert result.item() == value + 1
