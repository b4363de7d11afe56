"""Tensors that are made of others: sparse ones, and those over many ranks."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def is_distributed(types: Sequence[type]) -> bool:
    """Whether a tensor is one over many ranks: its own code then asks for what it does here."""
    return any(kind.__module__.startswith("torch.distributed.") for kind in types)


def inner_parts(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The strided tensors that a sparse one is made of."""
    if tensor.layout is torch.sparse_coo:
        return tensor._indices(), tensor._values()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.ccol_indices(), tensor.row_indices(), tensor.values()
    return ()
