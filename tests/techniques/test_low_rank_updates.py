"""GaLore against the published algorithm in a plain loop, and what it keeps."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.techniques.low_rank_updates import LowRankUpdates
from memplanner.techniques.optimizer import make_optimizer, recurring_in
from memplanner.techniques.prepare import check
from tests.estimate.recordings import CPU, META, planned, tiny

RATE = 0.01
DOUBLE = torch.float64


def adam(parameters: list[nn.Parameter], decay: float = 0.0) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=RATE, weight_decay=decay)


def leading(gradient: torch.Tensor, rank: int, turned: bool) -> torch.Tensor:
    """P (m, r) of the paper; of a turned gradient, whose vectors may have other signs."""
    own = gradient.T if turned else gradient
    left, _, right = torch.linalg.svd(own.contiguous().float(), full_matrices=False)
    found = right[:rank].T if turned else left[:, :rank]
    return found.to(gradient.dtype)


def plainly(
    weight: torch.Tensor, gradients: list[torch.Tensor], rank: int, gap: int, scale: float,
    decay: float, *, turned: bool = False,
) -> torch.Tensor:  # fmt: skip
    """Zhao et al. 2024, Algorithm 2, for m ≤ n; Adam's defaults, decay as AdamW has it."""
    weight = weight.clone()
    first = second = torch.zeros(rank, weight.shape[1], dtype=weight.dtype)
    projection = torch.empty(0)
    for step, gradient in enumerate(gradients):
        if step % gap == 0:
            projection = leading(gradient, rank, turned)
        low = projection.T @ gradient
        first = 0.9 * first + (1 - 0.9) * low
        second = 0.999 * second + (1 - 0.999) * low**2
        first_hat, second_hat = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        update = first_hat / (second_hat.sqrt() + 1e-8)
        weight = weight * (1 - RATE * decay) - RATE * scale * projection @ update
    return weight


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_the_published_algorithm(tall: bool, decay: float) -> None:
    """A tall matrix is the wide one on its side."""
    torch.manual_seed(0)
    weight = torch.randn(6, 10, dtype=DOUBLE)
    gradients = [torch.randn_like(weight) for _ in range(7)]
    turned = partial(torch.t) if tall else partial(torch.clone)
    parameter = nn.Parameter(turned(weight).contiguous())
    make = partial(adam, decay=decay)
    optimizer = LowRankUpdates(
        [parameter], [parameter], make, rank=3, gap=3, scale=0.5, decay=RATE * decay
    )
    for gradient in gradients:
        parameter.grad = turned(gradient).contiguous()
        optimizer.step()
    expected = plainly(weight, gradients, 3, 3, 0.5, decay, turned=tall)
    torch.testing.assert_close(turned(parameter.detach()), expected, rtol=1e-5, atol=1e-7)


def test_a_coupled_decay_is_part_of_the_gradient() -> None:
    torch.manual_seed(0)
    weight, gradient = torch.randn(6, 10, dtype=DOUBLE), torch.randn(6, 10, dtype=DOUBLE)
    parameter = nn.Parameter(weight.clone())
    optimizer = LowRankUpdates(
        [parameter], [parameter], adam, rank=3, scale=1.0, decay=0.1, decoupled=False
    )
    parameter.grad = gradient
    optimizer.step()
    expected = plainly(weight, [gradient + 0.1 * weight], 3, 200, 1.0, 0.0)
    torch.testing.assert_close(parameter.detach(), expected, rtol=1e-5, atol=1e-7)


def test_it_keeps_low_ranks_and_the_rest_as_it_is() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 20))
    parameters = list(module.parameters())
    optimizer = LowRankUpdates(parameters, parameters, adam, rank=4, gap=5, scale=1.0)
    given, wanted = torch.randn(64, 8), torch.randn(64, 20)
    losses, found = [], []
    for _ in range(60):
        loss = nn.functional.mse_loss(module(given), wanted)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(optimizer.happened)
    assert losses[-1] < 0.8 * losses[0]
    assert found == [step % 5 == 0 for step in range(60)]
    shapes = [
        {name: tuple(value.shape) for name, value in optimizer.state[part].items() if value.dim()}
        for part in parameters
    ]
    assert shapes == [
        {"projection": (4, 8), "exp_avg": (24, 4), "exp_avg_sq": (24, 4)},
        {"exp_avg": (24,), "exp_avg_sq": (24,)},
        {"projection": (20, 4), "exp_avg": (4, 24), "exp_avg_sq": (4, 24)},
        {"exp_avg": (20,), "exp_avg_sq": (20,)},
    ]
    projection = optimizer.state[parameters[0]]["projection"]
    torch.testing.assert_close(projection @ projection.T, torch.eye(4), rtol=0, atol=1e-5)


def test_a_projection_may_be_demanded() -> None:
    parameter = nn.Parameter(torch.randn(6, 6))
    optimizer = LowRankUpdates([parameter], [parameter], adam, rank=2, gap=100)
    found = []
    for step in range(4):
        if step == 2:
            optimizer.demand()
        parameter.grad = torch.randn(6, 6)
        optimizer.step()
        found.append(optimizer.happened)
    assert found == [True, False, True, False]


GALORE = {"optimizer__projection": "galore", "optimizer__rank": 4}


@pytest.mark.parametrize("update", ["after_backward", "in_backward"])
def test_a_plan_projects_linear_layers_but_the_head(update: str) -> None:
    module: Any = tiny("llama").build(torch.device("cpu"))
    optimizer = make_optimizer(module, planned(optimizer__update=update, **GALORE), CPU)
    batch = tiny("llama").batch(2, 12, torch.device("cpu"))
    module(**batch)["loss"].backward()
    optimizer.step()
    projected = [name for name, part in module.named_parameters()
                 if "projection" in optimizer.state[part]]  # fmt: skip
    assert len(projected) == 6 * 7
    assert not any(name.startswith(("lm_head", "model.embed")) for name in projected)
    assert all(each.happened for each in recurring_in(optimizer))
    assert len(recurring_in(optimizer)) == (1 if update == "after_backward" else 42)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimizer__name": "sgd"}, "choose optimizer.name=adamw"),
        ({"optimizer__implementation": "torchao_8bit"}, "choose bitsandbytes_8bit or auto"),
        ({"adapters__method": "lora"}, "choose optimizer.projection=none or adapters.method=none"),
    ],
)
def test_what_cannot_be_projected_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError) as error:
        check(planned(**GALORE, **values), CPU)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


def test_a_rank_that_no_layer_has_is_refused() -> None:
    plan = planned(**{**GALORE, "optimizer__rank": 16})
    with pytest.raises(PlanError, match=r"more than optimizer.rank=16 .*; choose optimizer.rank=8"):
        make_optimizer(tiny("llama").build(META), plan, CPU)
