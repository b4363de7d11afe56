"""Weightless parameters are left as they are; others are filled."""

from __future__ import annotations

import torch
from torch import nn

from memplanner.techniques.unfilled import Unfilled


def test_weightless_parameters_are_not_filled() -> None:
    weight = torch.empty(4, 4, device="meta")
    with Unfilled():
        assert nn.init.kaiming_uniform_(weight, a=5**0.5) is weight
        assert nn.init.zeros_(tensor=weight) is weight
        assert weight._version == 0


def test_others_are() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(3, 2)
    torch.manual_seed(0)
    with Unfilled():
        inside = nn.Linear(3, 2)
        zeros = nn.init.zeros_(torch.ones(2))
    assert torch.equal(plain.weight, inside.weight)
    assert not zeros.any()
