"""Sums of gradients are made in place where autograd makes them so without a mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from memplanner.tape.watch import StorageWatch

Graph = Callable[[torch.Tensor], torch.Tensor]


def twice(x: torch.Tensor) -> torch.Tensor:
    return x.sin().sum() + x.cos().sum() + x.exp().sum()


def residual(x: torch.Tensor) -> torch.Tensor:
    hidden = x * 2
    return ((hidden + hidden.sin()) * hidden.cos()).sum()


def passed_on(x: torch.Tensor) -> torch.Tensor:
    return (x + x.sin()).sum()


def expanded(x: torch.Tensor) -> torch.Tensor:
    return x.sin().sum() + x.sum() + x.mean()


def turned(x: torch.Tensor) -> torch.Tensor:
    return x.t().sin().sum() + x.exp().sum() + x.cos().sum()


@pytest.mark.parametrize("graph", [twice, residual, passed_on, expanded, turned])
def test_a_watch_sees_the_sums_that_the_engine_makes_in_place(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> torch.Tensor:
        return graph(torch.randn(64, 64, requires_grad=True) * 1)

    loss = make()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        loss.backward()
    in_place = sum(event.name == "aten::add_" for event in profiler.events())
    loss = make()
    watch = StorageWatch(nn.Linear(1, 1))
    sums: list[bool] = []
    asked = watch.adds_in_place

    def noted(*call: Any) -> bool:
        sums.append(asked(*call))
        return sums[-1]

    monkeypatch.setattr(watch, "adds_in_place", noted)
    with watch:
        watch.phase("backward", 0)
        loss.backward()
    assert sum(sums) == in_place
