"""Distributions over classes: what is kept of the teacher's, and how far the student's is from it.

Both are softened by a temperature T, and the divergence is multiplied by T², so that its gradient
keeps its size (Hinton et al. 2015, arXiv:1503.02531, section 2.1).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn


class Whole(NamedTuple):
    """The teacher's whole distribution."""

    probabilities: torch.Tensor
    """(…, classes), fp32."""
    entropy: torch.Tensor
    """(…), in nats."""


class Largest(NamedTuple):
    """The k classes that the teacher finds likeliest."""

    log_probabilities: torch.Tensor
    """(…, k), natural logarithms."""
    classes: torch.Tensor
    """(…, k), int64."""


class TeacherLogits(nn.Module):
    """Makes of the teacher's logits (…, classes) what the student is held against."""

    def __init__(self, top_k: int = 0) -> None:
        super().__init__()
        self.top_k = top_k
        """How many classes are kept; 0 for all."""

    def forward(self, logits: torch.Tensor, temperature: float) -> Whole | Largest:
        """Without gradient, in fp32."""
        softened = logits.float() / temperature
        if self.top_k:
            values, classes = softened.topk(self.top_k, dim=-1)
            return Largest(values - softened.logsumexp(-1, keepdim=True), classes)
        probabilities = softened.softmax(-1)
        del softened
        return Whole(probabilities, torch.special.entr(probabilities).sum(-1))


class StudentLogits(nn.Module):
    """The Kullback–Leibler divergence KL(teacher ‖ student) · T², a mean over positions."""

    def forward(
        self, logits: torch.Tensor, taught: Whole | Largest, temperature: float
    ) -> torch.Tensor:
        """A scalar in fp32; ``logits`` are (…, classes), in the order of ``taught``."""
        softened = logits.float() / temperature
        if isinstance(taught, Largest):
            divergence = _of_largest(softened, taught)
        else:
            # the cross-entropy less the teacher's own: one tensor of this size less than kl_div
            # keeps for backward
            crossed = nn.functional.cross_entropy(
                softened.flatten(0, -2), taught.probabilities.flatten(0, -2)
            )
            divergence = crossed - taught.entropy.mean()
        return divergence * temperature**2


def _of_largest(softened: torch.Tensor, taught: Largest) -> torch.Tensor:
    """The divergence over k classes and one more, which holds the rest of both distributions.

    Joining classes never adds divergence (the log sum inequality: Cover & Thomas, Elements of
    Information Theory, theorem 2.7.1), so this is a lower bound of the whole, and grows to it with
    k. Renormalising the k instead would say nothing of how much the student puts elsewhere.
    """
    theirs = taught.log_probabilities.float()
    own = softened.gather(-1, taught.classes) - softened.logsumexp(-1, keepdim=True)
    least = torch.finfo(torch.float32).eps  # below it 1 − Σ is rounding
    their_rest = (1 - theirs.exp().sum(-1)).clamp(min=least)
    own_rest = (1 - own.exp().sum(-1)).clamp(min=least)
    inside = (theirs.exp() * (theirs - own)).sum(-1)
    return (inside + their_rest * (their_rest.log() - own_rest.log())).mean()
