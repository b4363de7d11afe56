"""GaLore: gradients and states of matrices in a low rank that is found anew from time to time.

It needs torch alone. Source: Zhao et al. 2024 (arXiv:2403.03507), Algorithm 2.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import nn


class LowRankUpdates(torch.optim.Optimizer):
    """Optimizers of low-rank gradients, one for each matrix, and one of all other parameters.

    A gradient G (m, n) of a matrix with m ≥ n becomes R = G Qᵀ (m, r), with Q (r, n) the leading
    right singular vectors of a gradient of every ``gap``-th step; with m < n it is R = Pᵀ G (r, n)
    with left ones. The optimizer's update of R times ``scale`` is what Q or P turn back.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        matrices: Collection[nn.Parameter],
        make: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
        *,
        rank: int,
        gap: int = 200,
        scale: float = 0.25,
        decay: float = 0.0,
        decoupled: bool = True,
    ) -> None:
        """``make`` makes an optimizer; those of matrices see a low rank in place of the matrix.

        ``matrices`` are the parameters to project, where both sides are longer than ``rank``.
        ``decay`` is the share of a matrix taken off it in a step (``decoupled``: learning rate ×
        weight decay), else what of it is added to its gradient (weight decay).
        """
        super().__init__(parameters, {})
        chosen = {id(each) for each in matrices if each.dim() == 2 and min(each.shape) > rank}
        self._matrices = [each for each in parameters if id(each) in chosen]
        others = [each for each in parameters if id(each) not in chosen]
        self._low = {each: nn.Parameter(each.detach().new_empty(0)) for each in self._matrices}
        self._inner = {each: make([self._low[each]]) for each in self._matrices}
        self._others = make(others) if others else None
        if self._others is not None:
            self.state.update(self._others.state)
            self._others.state = self.state
        self._rank, self._gap, self._scale = rank, gap, scale
        self._decay, self._decoupled = decay, decoupled
        self._steps = 0
        self._demanded = False
        self.happened = False
        """Whether the last step found new singular vectors."""
        self.words = "new projections"

    @property
    def projects(self) -> bool:
        """Whether any parameter is projected."""
        return bool(self._matrices)

    def demand(self) -> None:
        """The next step finds new singular vectors, due or not."""
        self._demanded = True

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch returns a loss
        """Updates every parameter that has a gradient."""
        self.happened = self._demanded or self._steps % self._gap == 0
        self._demanded = False
        self._steps += 1
        for matrix in self._matrices:
            if matrix.grad is not None:
                self._update(matrix, matrix.grad)
        if self._others is not None:
            self._others.step()

    def _update(self, matrix: nn.Parameter, gradient: torch.Tensor) -> None:
        tall = matrix.shape[0] >= matrix.shape[1]
        if not self._decoupled and self._decay:
            gradient = gradient.add(matrix, alpha=self._decay)
        state = self.state[matrix]
        if "projection" not in state:
            state["projection"] = _leading(gradient, self._rank, right=tall)
        elif self.happened:
            state["projection"].copy_(_leading(gradient, self._rank, right=tall))
        projection = state["projection"]
        low = self._low[matrix]
        projected = gradient @ projection.t() if tall else projection.t() @ gradient
        del gradient
        low.data = torch.zeros_like(projected)  # what the update is then
        low.grad = projected
        del projected
        self._inner[matrix].step()
        low.grad = None
        state.update(self._inner[matrix].state[low])
        if self._decoupled and self._decay:
            matrix.mul_(1 - self._decay)
        factors = (low, projection) if tall else (projection, low)
        matrix.addmm_(*factors, alpha=self._scale)
        low.data = low.data.new_empty(0)


def _leading(gradient: torch.Tensor, rank: int, *, right: bool) -> torch.Tensor:
    """The ``rank`` leading right (rank, n) or left (m, rank) singular vectors, in its type."""
    left_vectors, _, right_vectors = torch.linalg.svd(gradient.float(), full_matrices=False)
    found: torch.Tensor = right_vectors[:rank] if right else left_vectors[:, :rank]
    return found.to(gradient.dtype, copy=True).contiguous()
