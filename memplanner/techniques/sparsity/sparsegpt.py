"""SparseGPT: zeros chosen by the layer's Hessian, and made up for by the weights that stay.

Frantar & Alistarh 2023, arXiv:2301.00774 (Algorithm 1; damping of 1 % of the mean diagonal).
"""

from __future__ import annotations

import torch

from memplanner.techniques.sparsity.masks import mask_lowest, mask_n_m

COLUMNS = 128
"""Whose zeros are chosen together, and whose errors are spread at once (B and Bₛ of the paper)."""
DAMPING = 0.01


def sparsegpt(
    weight: torch.Tensor,
    hessian: torch.Tensor,
    *,
    ratio: float = 0.5,
    n_m: tuple[int, int] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The new weight (out, in) in its type, and the mask: True where a weight stays.

    ``ratio`` of all weights become zero, or all but n of each m of a row.
    """
    work = weight.detach().float().clone()
    inverse = _inverse(work, hessian)
    mask = torch.ones_like(work, dtype=torch.bool)
    rows, columns = work.shape
    step = COLUMNS if n_m is None else COLUMNS // n_m[1] * n_m[1] or n_m[1]
    gone = 0
    for start in range(0, columns, step):
        stop = min(start + step, columns)
        part, own = work[:, start:stop].clone(), inverse[start:stop, start:stop]
        if n_m is None:
            target = round(ratio * rows * stop)
            mask[:, start:stop] = mask_lowest(part.square() / own.diag().square(), target - gone)
            gone = target
        errors = torch.zeros_like(part)
        for column in range(stop - start):
            if n_m is not None and column % n_m[1] == 0:
                group = slice(column, column + n_m[1])
                scores = part[:, group].square() / own.diag()[group].square()
                mask[:, start + column : start + column + n_m[1]] = mask_n_m(scores, *n_m)
            kept = part[:, column] * mask[:, start + column]
            error = (part[:, column] - kept) / own[column, column]
            part[:, column:] -= error[:, None] * own[column, column:]
            part[:, column] = kept
            errors[:, column] = error
        work[:, start:stop] = part
        work[:, stop:] -= errors @ inverse[start:stop, stop:]
    return (work * mask).to(weight.dtype), mask


def _inverse(work: torch.Tensor, hessian: torch.Tensor) -> torch.Tensor:
    """The upper Cholesky factor of the damped Hessian's inverse; ``work`` loses dead inputs."""
    own = hessian.float().clone()
    diagonal = own.diagonal()
    dead = diagonal == 0
    diagonal[dead] = 1
    work[:, dead] = 0
    diagonal += DAMPING * diagonal.mean()
    lower = torch.linalg.cholesky(own)
    upper: torch.Tensor = torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
    return upper
