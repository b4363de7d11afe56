"""Whole blocks: which, and leaving them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


def count_left_out(ratio: float, length: int) -> int:
    """How many blocks of a list go: the nearest whole number; one stays at least."""
    return min(round(ratio * length), length - 1)


def deepest(length: int, count: int) -> list[int]:
    """The blocks that stay when ``count`` in front of the last one go.

    Source: Gromov et al. 2024 (arXiv:2403.17887), whose simple rule keeps the last layer.
    """
    return [*range(length - 1 - count), length - 1]


def least_influence(scores: torch.Tensor, count: int) -> list[int]:
    """The blocks that stay when the ``count`` with the lowest scores go."""
    gone = set(scores.argsort(stable=True)[:count].tolist())
    return [index for index in range(len(scores)) if index not in gone]


def keep_blocks(module: nn.Module, path: str, kept: Sequence[int]) -> None:
    """Leaves the blocks with the indices ``kept`` in the list at ``path``, in place.

    The numbers that blocks hold of themselves follow, since caches go by them.
    """
    container: Any = module.get_submodule(path)
    blocks = list(container)
    gone = set(range(len(blocks))).difference(kept)
    for index in sorted(gone, reverse=True):
        del container[index]
    for index, block in enumerate(container):
        for part in block.modules():
            if isinstance(part.__dict__.get("layer_idx"), int):
                part.layer_idx = index
