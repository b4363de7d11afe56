"""What a card does otherwise than the meta device, applied where torch is called."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

from memplanner.tape.record import MetaWatch
from memplanner.tape.rules import DeviceRules
from memplanner.techniques.target import Target
from tests.estimate.recordings import CPU, H100, planned

META = torch.device("meta")


def births(target: Target, p: float = 0.5, training: bool = True, inplace: bool = False) -> list[
    tuple[str, torch.dtype]
]:  # fmt: skip
    x = torch.zeros(2, 6, dtype=torch.bfloat16, device=META, requires_grad=not inplace)
    watch = MetaWatch(nn.Linear(1, 1), target)
    with watch:
        watch.see(x, "input")
        with DeviceRules(target, planned()):
            kept = F.dropout(x, p, training, inplace)
        assert kept.shape == x.shape
    return [
        (watch.operation[index].split(".")[1], watch.dtype[index])
        for index in range(1, len(watch.size_bytes))
    ]


def test_a_card_keeps_a_mask_of_booleans() -> None:
    assert births(H100) == [
        ("native_dropout", torch.bfloat16), ("native_dropout", torch.bool)
    ]  # fmt: skip


def test_the_cpu_keeps_noise_of_the_inputs_type() -> None:
    assert all(kind is torch.bfloat16 for _, kind in births(CPU))
    assert births(CPU)[-1][0] == "mul"


@pytest.mark.parametrize("target", [CPU, H100], ids=["cpu", "cuda"])
def test_no_dropout_makes_nothing_or_one_result(target: Target) -> None:
    assert len(births(target, p=0.0)) <= 2
    assert "native_dropout" not in [name for name, _ in births(target, training=False)]


def test_dropout_in_place_stays_in_place() -> None:
    assert "native_dropout" not in [name for name, _ in births(H100, inplace=True)]


def test_functions_that_choose_between_two_are_called_as_they_are() -> None:
    """``max_pool2d`` asks the mode again in whichever it chose."""
    x = torch.zeros(1, 2, 8, 8, device=META)
    with DeviceRules(CPU, planned(precision="bf16_mixed")):
        assert F.max_pool2d(x, 2).shape == (1, 2, 4, 4)
        assert F.adaptive_max_pool2d(x, 2, return_indices=True)[1].dtype is torch.int64


def test_rules_can_be_entered_again_and_leave_no_cast_behind() -> None:
    rules = DeviceRules(CPU, planned(precision="bf16_mixed"))
    weight = nn.Parameter(torch.zeros(4, 4, device=META))
    x = torch.zeros(2, 4, device=META)
    with rules:
        inside = F.linear(x, weight)
        with rules:
            F.linear(x, weight)
        assert rules.autocast is not None
        assert rules.autocast._weights
    assert not rules.autocast._weights
    assert inside.dtype is torch.bfloat16
    assert F.linear(x, weight).dtype is torch.float32


@pytest.mark.parametrize("target", [CPU, H100], ids=["cpu", "cuda"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_multi_head_attention_reaches_the_kernel(target: Target, dropout: float) -> None:
    attention = nn.MultiheadAttention(16, 2, dropout=dropout, batch_first=True, device=META)
    x = torch.zeros(2, 5, 16, device=META)
    watch = MetaWatch(attention, target)
    with watch, DeviceRules(target, planned()):
        attention(x, x, x, need_weights=False)
    names = " ".join(watch.operation)
    if target is CPU and dropout:  # the CPU's kernel knows no dropout
        assert "flash_attention_for_cpu" not in names
    else:
        assert "flash_attention_for_cpu" in names or "efficient_attention" in names
