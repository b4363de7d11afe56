"""Statistics of normalizations have the type that the CPU's kernels give them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from memplanner.tape.results import as_on_every_device, on_cpu

aten = torch.ops.aten
FULL, HALF, OTHER_HALF = torch.float32, torch.bfloat16, torch.float16


def arguments(operation: str, kind: torch.dtype, weight: torch.dtype | None) -> tuple[Any, ...]:
    x = torch.ones(2, 4, 3, dtype=kind)
    if operation == "layer_norm":
        parts = [None if weight is None else torch.ones(3, dtype=weight)] * 2
        return aten.native_layer_norm.default, (x, [3], *parts, 1e-5)
    parts = [None if weight is None else torch.ones(4, dtype=weight)] * 2
    if operation == "group_norm":
        return aten.native_group_norm.default, (x, *parts, 2, 4, 3, 2, 1e-5)
    running = [torch.ones(4, dtype=weight or kind)] * 2
    return aten.native_batch_norm.default, (x, *parts, *running, True, 0.1, 1e-5)


@pytest.mark.parametrize("operation", ["layer_norm", "group_norm", "batch_norm"])
@pytest.mark.parametrize("kind", [FULL, HALF, OTHER_HALF])
@pytest.mark.parametrize("weight", ["same", "wider", "none"])
def test_statistics_are_those_of_the_cpu(operation: str, kind: torch.dtype, weight: str) -> None:
    chosen = {"same": kind, "wider": FULL, "none": None}[weight]
    func, args = arguments(operation, kind, chosen)
    real = func(*args)
    on_meta = tuple(part.to("meta") if isinstance(part, torch.Tensor) else part for part in args)
    weightless = on_cpu(func, on_meta, func(*on_meta))
    assert [(part.dtype, part.shape) for part in weightless] == [
        (part.dtype, part.shape) for part in real
    ]


def test_a_card_keeps_statistics_in_full() -> None:
    func, args = arguments("layer_norm", HALF, HALF)
    on_meta = tuple(part.to("meta") if isinstance(part, torch.Tensor) else part for part in args)
    assert [part.dtype for part in as_on_every_device(func, on_meta, func(*on_meta))] == [
        HALF,
        FULL,
        FULL,
    ]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_convolutions_keep_their_inputs_layout(layout: torch.memory_format) -> None:
    x = torch.zeros(2, 3, 8, 8).contiguous(memory_format=layout)
    args = (x, torch.zeros(4, 3, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    func = aten.convolution.default
    on_meta = tuple(part.to("meta") if isinstance(part, torch.Tensor) else part for part in args)
    assert on_cpu(func, on_meta, func(*on_meta)).stride() == func(*args).stride()


@pytest.mark.parametrize("func", [aten.mse_loss.default, aten.smooth_l1_loss.default])
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_reduced_losses_lie_where_the_unreduced_one_was(func: Any, reduction: int) -> None:
    args = (torch.zeros(3, 5), torch.zeros(3, 5), reduction)
    on_meta = tuple(part.to("meta") if isinstance(part, torch.Tensor) else part for part in args)
    weightless = as_on_every_device(func, on_meta, func(*on_meta))
    real = func(*args)
    assert weightless.shape == real.shape
    assert weightless.untyped_storage().nbytes() == real.untyped_storage().nbytes()


TURNED = torch.zeros(4, 3).t()
LAYOUTS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "softmax": (aten._softmax_backward_data.default, (TURNED, torch.zeros(3, 4), 1, FULL)),
    "log_softmax": (aten._log_softmax_backward_data.default, (TURNED, torch.zeros(3, 4), 1, FULL)),
    "layer_norm": (
        aten.native_layer_norm_backward.default,
        (TURNED, torch.zeros(3, 4), [4], torch.zeros(3, 1), torch.ones(3, 1), torch.ones(4),
         torch.ones(4), [True, True, True]),
    ),
    **{
        f"embedding_bag, {name}": (
            aten._embedding_bag.default,
            (torch.zeros(5, 2), torch.tensor([0, 1, 2]), torch.tensor([0, 2]), False, mode),
        )
        for mode, name in enumerate(("sum", "mean", "max"))
    },
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_shapes_layouts_and_storages_are_those_of_the_cpu(name: str) -> None:
    func, args = LAYOUTS[name]
    on_meta = tuple(part.to("meta") if isinstance(part, torch.Tensor) else part for part in args)
    real, weightless = func(*args), on_cpu(func, on_meta, func(*on_meta))

    def described(result: Any) -> list[Any]:
        parts = result if isinstance(result, tuple) else (result,)
        return [(part.shape, part.stride(), part.untyped_storage().nbytes()) for part in parts]

    assert described(weightless) == described(real)


def test_other_operations_are_left_alone() -> None:
    result = object()
    assert on_cpu(aten.mm.default, (torch.ones(1, dtype=HALF),), result) is result
