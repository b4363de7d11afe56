"""Zeros that are chosen anew while training, more and more of them.

Sources: Zhu & Gupta 2017 (arXiv:1710.01878), whose ratio rises with a power of what is left of the
schedule; the constant ratio is that of TensorFlow's ``ConstantSparsity``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune

from memplanner.techniques.sparsity.masks import count_of, mask_lowest, mask_n_m, masks_together
from memplanner.techniques.sparsity.matrices import is_transposed
from memplanner.techniques.sparsity.zeros import Zeros


@dataclass(frozen=True, slots=True)
class Schedule:
    """At which optimizer steps zeros are chosen, counted from 1, and how many."""

    kind: str = "polynomial"
    """``polynomial`` or ``constant``."""
    first_step: int = 1
    last_step: int = 1000
    every: int = 100
    exponent: float = 3.0

    def is_due(self, step: int) -> bool:
        """Whether zeros are chosen after this step: every so many, and at the last one."""
        if not self.first_step <= step <= self.last_step:
            return False
        return (step - self.first_step) % self.every == 0 or step == self.last_step

    def share(self, step: int) -> float:
        """The share of the whole ratio that is zero after ``step``, from 0 to 1.

        s(t) / s_f = 1 − (1 − (t − t₀) / (t_n − t₀))^exponent, with no zeros before t₀.
        """
        if step < self.first_step:
            return 0.0
        if self.kind == "constant" or step >= self.last_step:
            return 1.0
        done = (step - self.first_step) / (self.last_step - self.first_step)
        return 1.0 - float((1.0 - done) ** self.exponent)


class GradualZeros:
    """Chooses zeros of the layers ``names`` by magnitude; ``step`` follows each optimizer step.

    Kept as masks, a weight that was zero may come back, since its own number stays beside the mask.
    """

    def __init__(
        self, module: nn.Module, names: Sequence[str], zeros: Zeros, schedule: Schedule
    ) -> None:
        """Gives each layer a mask that leaves everything, where masks are kept."""
        self._layers = [(name, module.get_submodule(name)) for name in names]
        self._zeros = zeros
        self._schedule = schedule
        self._demanded = False
        self.steps = 0
        """Optimizer steps so far."""
        self.happened = False
        """Whether the last of them chose zeros."""
        self.words = "new masks" if zeros.kept_as == "masks" else "new zeros"
        if zeros.kept_as == "masks":
            for _, layer in self._layers:
                prune.identity(layer, "weight")

    def demand(self) -> None:
        """The next step chooses zeros, due or not: for whoever measures what that takes."""
        self._demanded = True

    def step(self, *_: Any) -> None:
        """An optimizer step was made; what torch gives a hook of one is not needed."""
        self.steps += 1
        self.happened = self._demanded or self._schedule.is_due(self.steps)
        self._demanded = False
        if self.happened:
            self.choose(self._schedule.share(self.steps))

    @torch.no_grad()
    def choose(self, share: float) -> None:
        """Chooses ``share`` of the zeros that are wanted in the end."""
        if self._zeros.together:
            masks = masks_together(self._scores, share * self._zeros.ratio)
            for (_, layer), mask in zip(self._layers, masks, strict=True):
                self._keep(layer, mask)
            return
        for name, layer in self._layers:
            self._keep(layer, self._mask(name, layer, share))

    def _scores(self) -> Iterator[torch.Tensor]:
        return (_weight(layer).abs() for _, layer in self._layers)

    def _mask(self, name: str, layer: nn.Module, share: float) -> torch.Tensor:
        weight = _weight(layer)
        if self._zeros.n_m is not None:
            rows = weight.t() if is_transposed(layer) else weight
            mask = mask_n_m(rows.abs(), *self._zeros.n_m)
            return mask.t() if is_transposed(layer) else mask
        count = count_of(share * self._zeros.ratio_of(name), weight.numel())
        return mask_lowest(weight.abs(), count)

    def _keep(self, layer: Any, mask: torch.Tensor) -> None:
        if self._zeros.kept_as == "masks":
            layer.weight_mask.copy_(mask)
        else:
            layer.weight.mul_(mask)


def prune_gradually(
    module: nn.Module, names: Sequence[str], zeros: Zeros, schedule: Schedule
) -> Callable[..., None]:
    """Starts a schedule; what comes back is to be called after each optimizer step.

    ``torch.optim.Optimizer.register_step_post_hook`` takes it.
    """
    return GradualZeros(module, names, zeros, schedule).step


def _weight(layer: Any) -> torch.Tensor:
    """The trained numbers: a masked layer keeps them beside its mask."""
    own: torch.Tensor = layer.weight_orig if hasattr(layer, "weight_mask") else layer.weight
    return own.detach()
