"""Softmax in fp32 of fp16: who copies the input, and who does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from memplanner.plan import Plan
from memplanner.tape.rules import DeviceRules
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.target import Target

CPU, H100 = Target(), Target("cuda", (9, 0))
CALLS = {
    "functional": lambda x: F.softmax(x, dim=-1, dtype=torch.float32),
    "torch": lambda x: torch.softmax(x, -1, torch.float32),
    "method": lambda x: x.log_softmax(-1, dtype=torch.float32),
}


def births(call: Any, kind: torch.dtype, target: Target) -> list[str]:
    """The operations that make a storage in fp32."""
    x = torch.empty(4, 8, dtype=kind, device="meta", requires_grad=True)
    watch = StorageWatch(torch.nn.Module())
    with watch, DeviceRules(target, Plan()):
        assert call(x).dtype is torch.float32
    return [
        name
        for name, dtype in zip(watch.operation, watch.dtype, strict=True)
        if dtype is torch.float32
    ]


@pytest.mark.parametrize("name", CALLS)
def test_cuda_widens_fp16_while_it_reads(name: str) -> None:
    assert len(births(CALLS[name], torch.float16, H100)) == 1


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("kind", "target"), [(torch.bfloat16, H100), (torch.float16, CPU)])
def test_others_copy_first(name: str, kind: torch.dtype, target: Target) -> None:
    copy, result = births(CALLS[name], kind, target)
    assert "_to_copy" in copy
    assert "softmax" in result
