"""Masks that take away exactly as much as was asked; ties are broken by order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

_INFINITY = 0x7F800000
"""Its bits in fp32; those of lower numbers from zero on are lower."""


def count_of(ratio: float, total: int) -> int:
    """How many of ``total`` go: the nearest whole number."""
    return round(ratio * total)


def mask_lowest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """True where a weight stays: all but the ``count`` lowest scores, of equal ones the first.

    Scores are none below zero.
    """
    flat = scores.float().flatten()
    return next(_lowest(lambda: (flat,), min(max(count, 0), flat.numel()))).view(scores.shape)


def mask_below(scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """True where a weight stays: all whose score reaches the threshold."""
    return scores >= threshold


def mask_rows(scores: torch.Tensor, ratio: float) -> torch.Tensor:
    """The same share of every row (Wanda's comparison group): ``scores`` is (out, in)."""
    return _without(scores, _first(scores, count_of(ratio, scores.shape[1])))


def mask_n_m(scores: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """The ``n`` highest of each ``m`` neighbours in a row stay; ``m`` divides the row."""
    groups = scores.reshape(-1, m)
    return _without(groups, _first(groups, m - n)).view(scores.shape)


def masks_together(
    scores: Callable[[], Iterable[torch.Tensor]], ratio: float
) -> Iterator[torch.Tensor]:
    """One mask for each of the ``scores``: the share is of all of them together.

    ``scores`` gives them anew each time, none below zero, and one lies in memory at a time.
    """
    count = count_of(ratio, sum(part.numel() for part in scores()))
    return _lowest(scores, count)


def _lowest(scores: Callable[[], Iterable[torch.Tensor]], count: int) -> Iterator[torch.Tensor]:
    """The masks that take the ``count`` lowest of all scores away, of equal ones the first.

    Their border is searched bit by bit, since numbers from zero on are ordered as their bits are.
    ``kthvalue`` is no faster, copies scores and indices inside its kernel, and needs all scores in
    one tensor. Beside fp32 scores of a layer this takes six bytes for each; no value is looked at,
    so it takes the same on the meta device.
    """
    low: torch.Tensor | None = None
    for part in scores():
        low = torch.zeros((), dtype=torch.int64, device=part.device)
        break
    if low is None:
        return
    high = low + _INFINITY
    # each round takes what the first one takes, and gives it back: without values one is enough
    for _ in range(1 if low.is_meta else _INFINITY.bit_length()):
        middle = (low + high) // 2
        border = _number(middle)
        enough = _counted(part.float() <= border for part in scores()) >= count
        high = torch.where(enough, middle, high)
        low = torch.where(enough, low, middle + 1)
    border = _number(high)
    left = count - _counted(part.float() < border for part in scores())
    for part in scores():
        flat = part.float().flatten()
        gone, ties = flat < border, flat == border
        del flat
        numbers = torch.int32 if ties.numel() < 2**31 else torch.int64
        before = ties.cumsum(0, dtype=numbers)
        ties &= before <= left
        del before
        left = left - ties.count_nonzero()
        yield gone.logical_or_(ties).logical_not_().view(part.shape)


def _counted(masks: Iterable[torch.Tensor]) -> torch.Tensor:
    """How many are true in all: int64, no dimensions."""
    return torch.stack([mask.count_nonzero() for mask in masks]).sum()


def _number(bits: torch.Tensor) -> torch.Tensor:
    """The fp32 number with these bits."""
    return bits.to(torch.int32).view(torch.float32)


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
