"""A tiny recipe that does something of its own on the real device, never on the meta device."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

_RECIPE = """
import os
import signal
import sys
import time

import torch
from torch import nn


def act(step):
{forward}


class Act(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        if gradient.device.type != "meta":
{backward}
        return gradient


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 64)
        self.calls = 0

    def forward(self, x):
        x = self.linear(x)
        if x.device.type != "meta":
            act(self.calls)
            self.calls += 1
        return Act.apply(x)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(64, 64), Block(), nn.Linear(64, 64)])

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return {{"loss": x.square().mean()}}


def model():
    return Tiny()


def batch(batch_size, sequence_length):
    return {{"x": torch.randn(batch_size, 64)}}
"""

ABSURD = "torch.empty(2**46)"
"""A quarter of a pebibyte: no machine has it, and every kernel refuses it at once."""


def write_recipe(folder: Path, forward: str = "pass", *, backward: str = "pass") -> Path:
    """The path of ``tiny.py``, whose block ``blocks.1`` runs that code.

    In ``forward``, ``step`` counts the calls from 0.
    """
    path = folder / "tiny.py"
    path.write_text(
        _RECIPE.format(forward=indent(forward, " " * 4), backward=indent(backward, " " * 12))
    )
    return path
