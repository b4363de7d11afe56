"""Lion against the published algorithm in a plain loop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from memplanner.techniques.lion import Lion


def plainly(
    weight: torch.Tensor, gradients: list[torch.Tensor], rate: float, decay: float
) -> torch.Tensor:
    """Chen et al. 2023, Algorithm 2, with its betas of 0.9 and 0.99."""
    theta, momentum = weight.clone(), torch.zeros_like(weight)
    for gradient in gradients:
        c = 0.9 * momentum + (1 - 0.9) * gradient
        theta = theta - rate * (torch.sign(c) + decay * theta)
        momentum = 0.99 * momentum + (1 - 0.99) * gradient
    return theta


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_the_published_algorithm(foreach: bool, decay: float) -> None:
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in ((3, 4), (5,))]
    before = [part.detach().clone() for part in parameters]
    gradients = [[torch.randn_like(part) for part in before] for _ in range(6)]
    optimizer = Lion(parameters, lr=0.02, weight_decay=decay, foreach=foreach)
    for step in gradients:
        for part, gradient in zip(parameters, step, strict=True):
            part.grad = gradient.clone()
        optimizer.step()
    for place, part in enumerate(parameters):
        expected = plainly(before[place], [step[place] for step in gradients], 0.02, decay)
        torch.testing.assert_close(part.detach(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("foreach", [False, True])
def test_it_keeps_one_state_a_parameter_and_learns(foreach: bool) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    unused = nn.Parameter(torch.ones(3))
    given = torch.randn(64, 8)
    wanted = given[:, :1] - given[:, 1:2]
    optimizer = Lion([*module.parameters(), unused], lr=3e-3, foreach=foreach)
    losses = []
    for _ in range(60):
        loss = nn.functional.mse_loss(module(given), wanted)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]
    assert unused.tolist() == [1, 1, 1]
    numbers = sum(value.numel() for state in optimizer.state.values() for value in state.values())
    assert numbers == sum(part.numel() for part in module.parameters())
