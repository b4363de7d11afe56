"""Losses inside the models: hidden states and attention maps, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

Tensors = Sequence[torch.Tensor]


def uniform(student: int, teacher: int) -> list[int]:
    """For each of the student's layers the teacher's (from 1) that it is held against.

    Layer i of m learns from layer i · n / m of n, to the nearest: the uniform strategy of TinyBERT
    (Jiao et al. 2020, arXiv:1909.10351, section 4.1).
    """
    return [max(round(index * teacher / student), 1) for index in range(1, student + 1)]


class HiddenLoss(nn.Module):
    """The mean squared error of hidden states; a trained projection makes up for the width.

    Source: Jiao et al. 2020 (arXiv:1909.10351), equation 8, with one projection for all layers.
    """

    def __init__(
        self, student_width: int, teacher_width: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.projection: nn.Module | None = None
        if student_width != teacher_width:
            self.projection = nn.Linear(
                student_width, teacher_width, bias=False, device=device, dtype=dtype
            )

    def forward(self, learned: Tensors, taught: Tensors) -> torch.Tensor:
        """A scalar in fp32: the mean over pairs of (batch, positions, width)."""
        losses = []
        for own, theirs in zip(learned, taught, strict=True):
            projected = own if self.projection is None else self.projection(own)
            losses.append(nn.functional.mse_loss(projected, theirs.to(projected.dtype)).float())
        return torch.stack(losses).mean()


class AttentionLoss(nn.Module):
    """The mean squared error of attention maps; of their mean over heads where heads differ.

    Source: Jiao et al. 2020 (arXiv:1909.10351), equation 7, on probabilities.
    """

    def forward(self, learned: Tensors, taught: Tensors) -> torch.Tensor:
        """A scalar in fp32: the mean over pairs of (batch, heads, positions, positions)."""
        losses = []
        for own, theirs in zip(learned, taught, strict=True):
            pair = own, theirs.to(own.dtype)
            if own.shape[1] != theirs.shape[1]:
                pair = pair[0].mean(1), pair[1].mean(1)
            losses.append(nn.functional.mse_loss(*pair).float())
        return torch.stack(losses).mean()
