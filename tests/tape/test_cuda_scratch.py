"""Scratch of attention's backward on a card: on the tape, and gone when the operation ends."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from memplanner.hardware.kernels import (
    AttentionShape,
    cudnn_backward_bytes,
    efficient_backward_bytes,
    flash_backward_bytes,
)
from memplanner.plan import Plan
from memplanner.tape.record import MetaWatch
from memplanner.tape.rules import DeviceRules
from memplanner.techniques.target import Target

A100 = Target("cuda", (8, 0))
SHAPE = AttentionShape(
    batch=2, heads=4, key_heads=4, queries=200, keys=200, width=64, value_width=64, itemsize=2
)
SIZES = {
    "flash": flash_backward_bytes(SHAPE),
    "efficient": efficient_backward_bytes(SHAPE, A100.capability),
    "cudnn": (cudnn_backward_bytes(SHAPE).expected_bytes,),
}


@pytest.mark.parametrize("kernel", SIZES)
def test_a_backward_takes_its_kernels_scratch(kernel: str) -> None:
    parts = [
        torch.empty(2, 4, 200, 64, dtype=torch.bfloat16, device="meta", requires_grad=True)
        for _ in range(3)
    ]
    watch = MetaWatch(torch.nn.Module(), A100)
    plan = Plan().with_values({"attention.kernel": kernel})
    with watch, DeviceRules(A100, plan):
        result = F.scaled_dot_product_attention(*parts).sum()
        assert watch.computed_scratch == [], "a forward takes none"
        watch.phase("backward", 0)
        result.backward()
    scratch = watch.computed_scratch
    assert tuple(watch.size_bytes[index] for index in scratch) == SIZES[kernel]
    births = [watch.events.index(index + 1) for index in scratch]
    deaths = [watch.events.index(-index - 1) for index in scratch]
    assert max(births) < min(deaths), "all of it is alive together"
    assert max(deaths) - min(births) == 2 * len(scratch) - 1, "and nothing happens meanwhile"
