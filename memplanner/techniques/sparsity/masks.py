"""Masks that take away exactly as much as was asked; ties are broken by order."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def count_of(ratio: float, total: int) -> int:
    """How many of ``total`` go: the nearest whole number."""
    return round(ratio * total)


def mask_lowest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """True where a weight stays: all but the ``count`` lowest scores, of equal ones the first."""
    if scores.is_meta:  # nothing to compare
        return torch.ones_like(scores, dtype=torch.bool)
    flat = scores.float().flatten()
    if count <= 0:
        return torch.ones_like(scores, dtype=torch.bool)
    border = flat.kthvalue(min(count, flat.numel())).values
    below = flat < border
    ties = flat == border
    ties &= ties.cumsum(0) <= count - int(below.sum())
    return ~(below | ties).view(scores.shape)


def mask_rows(scores: torch.Tensor, ratio: float) -> torch.Tensor:
    """The same share of every row (Wanda's comparison group): ``scores`` is (out, in)."""
    return _without(scores, _first(scores, count_of(ratio, scores.shape[1])))


def mask_n_m(scores: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """The ``n`` highest of each ``m`` neighbours in a row stay; ``m`` divides the row."""
    groups = scores.reshape(-1, m)
    return _without(groups, _first(groups, m - n)).view(scores.shape)


def mask_together(scores: Sequence[torch.Tensor], ratio: float) -> list[torch.Tensor]:
    """One mask for each of ``scores``: the share is of all of them together."""
    flat = torch.cat([part.float().flatten() for part in scores])
    kept = mask_lowest(flat, count_of(ratio, flat.numel()))
    parts = kept.split([part.numel() for part in scores])
    return [mask.view(part.shape) for mask, part in zip(parts, scores, strict=True)]


def highest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """The indices of the ``count`` highest scores in the last dimension, in their order.

    int64, shape of ``scores`` but for the last dimension. Of equal ones the first go.
    """
    if scores.is_meta:
        return torch.empty((*scores.shape[:-1], count), dtype=torch.int64, device=scores.device)
    order = scores.float().argsort(dim=-1, stable=True)
    return order[..., scores.shape[-1] - count :].sort(dim=-1).values


def _first(rows: torch.Tensor, count: int) -> torch.Tensor:
    return rows.float().argsort(dim=1, stable=True)[:, :count]


def _without(rows: torch.Tensor, gone: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(rows, dtype=torch.bool).scatter_(1, gone, False)
