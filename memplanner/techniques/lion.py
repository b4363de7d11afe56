"""Lion: one state a parameter, and steps of one size. It needs torch alone.

Source: Chen et al. 2023 (arXiv:2302.06675), Algorithm 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


class Lion(torch.optim.Optimizer):
    """c = β₁m + (1 − β₁)g; θ ← θ − η(sign c + λθ); m ← β₂m + (1 − β₂)g.

    ``foreach`` walks over all parameters at once, with temporaries as large as the parameters
    together; else over one after the other.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        foreach: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})
        self._foreach = foreach

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch returns a loss
        """Updates every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [each for each in group["params"] if each.grad is not None]
            if self._foreach and parameters:
                self._update(parameters, group)
            elif not self._foreach:
                for parameter in parameters:
                    self._update_one(parameter, group)

    def _momentum(self, parameter: torch.Tensor) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        momentum: torch.Tensor = state["exp_avg"]
        return momentum

    def _update_one(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        (first, second), rate = group["betas"], group["lr"]
        momentum, gradient = self._momentum(parameter), parameter.grad
        assert gradient is not None
        direction = momentum.lerp(gradient, 1 - first).sign_()
        parameter.mul_(1 - rate * group["weight_decay"]).add_(direction, alpha=-rate)
        momentum.lerp_(gradient, 1 - second)

    def _update(self, parameters: list[torch.Tensor], group: dict[str, Any]) -> None:
        (first, second), rate = group["betas"], group["lr"]
        momenta = [self._momentum(parameter) for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        directions = torch._foreach_lerp(momenta, gradients, 1 - first)
        torch._foreach_sign_(directions)
        torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
        torch._foreach_add_(parameters, directions, alpha=-rate)
        torch._foreach_lerp_(momenta, gradients, 1 - second)
