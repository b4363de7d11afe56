"""Thresholds, ratios by layer and Fisher scores, against plain loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.prepare import check
from memplanner.techniques.sparsity.calibration import fisher_diagonals
from memplanner.techniques.sparsity.matrices import importance
from memplanner.techniques.sparsity.structure import Smaller, make_smaller
from memplanner.techniques.sparsity.zeros import Zeros, put_zeros
from tests.estimate.recordings import CPU
from tests.techniques.pruned_models import LORA, REAL, WIDTH, plan_of, pruned

SINGLE = {"structure": "unstructured", "kept_as": "zeros"}


class Net(nn.Module):
    """Two layers and a squared error, one for each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(given))).square().sum(dim=1).mean()


def loss_of(output: torch.Tensor) -> torch.Tensor:
    return output


# Thresholds


@given(st.floats(0.01, 3), st.booleans(), st.integers(0, 20))
def test_what_is_below_the_threshold_goes_and_nothing_else(
    threshold: float, of_deviation: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(6, 9))
    weight = module[0].weight.detach().clone()
    zeros = Zeros(threshold=threshold, of_deviation=of_deviation, kept_as="zeros")
    put_zeros(module, ["0"], zeros)
    deviation = (weight - weight.mean()).square().mean().sqrt() if of_deviation else 1.0
    expected = torch.where(weight.abs() / deviation < threshold, 0.0, weight)
    assert torch.equal(module[0].weight.detach(), expected)


def test_a_threshold_that_leaves_nothing_is_refused() -> None:
    section = {**SINGLE, "select": "threshold", "threshold": 1e5}
    with pytest.raises(PlanError, match=r"leaves no weight of .*; choose a smaller one"):
        pruned("llama", section, REAL)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({**WIDTH, "select": "threshold"}, "choose pruning.select=ratio"),
        ({"structure": "n_m", "select": "threshold"}, "choose pruning.select=ratio"),
        ({**SINGLE, "kept_as": "packed", "select": "threshold"}, "pruning.kept_as=zeros"),
        ({**SINGLE, "select": "threshold", "method": "taylor"}, "pruning.method=magnitude"),
        ({**SINGLE, "select": "threshold", "scope": "global"}, "pruning.scope=per_layer"),
        ({**SINGLE, "select": "threshold", "per_layer": "q_proj=0.1"}, "pruning.select=ratio"),
        ({**SINGLE, "scope": "global", "per_layer": "q_proj=0.1"}, "pruning.scope=per_layer"),
        ({**WIDTH, "per_layer": "q_proj=0.1"}, "pruning.structure=unstructured"),
    ],
)
def test_what_thresholds_and_ratios_by_layer_cannot_do_is_refused(
    section: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError) as error:
        check(plan_of(section, **LORA), CPU)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


# Ratios by layer


@pytest.mark.parametrize("method", ["magnitude", "taylor", "wanda", "sparsegpt"])
def test_layers_have_the_ratio_that_is_named_last(method: str) -> None:
    section = {
        **SINGLE, "method": method, "ratio": 0.5, "calibration_batches": 1,
        "per_layer": "*.mlp.*=0.25, model.layers.1.*=0.75, up_proj=0",
    }  # fmt: skip
    module = pruned("llama", section, REAL)
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Linear) or name == "lm_head":
            continue
        own = 0.25 if ".mlp." in name else 0.5
        own = 0.75 if "layers.1." in name else own
        own = 0.0 if "up_proj" in name else own
        zeros = int((layer.weight == 0).sum())
        assert zeros == round(own * layer.weight.numel())


def test_packed_layers_have_room_for_their_own_ratio() -> None:
    section = {**SINGLE, "kept_as": "packed", "per_layer": "down_proj=0.75"}
    for device in (REAL, torch.device("meta")):
        module: Any = pruned("llama", section, device, **LORA)
        mlp = module.model.layers[0].mlp
        assert mlp.down_proj.base_layer.values.numel() == 16 * 24 // 4
        assert mlp.up_proj.base_layer.values.numel() == 16 * 24 // 2


def test_a_pattern_for_no_layer_is_refused() -> None:
    with pytest.raises(PlanError, match=r"none of the layers that pruning\.layers chooses"):
        pruned("llama", {**SINGLE, "per_layer": "lm_head=0.2"})


@pytest.mark.parametrize("text", ["q_proj", "q_proj=1", "q_proj=-0.1", "q_proj=much", "=0.5"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        Plan().with_values({"pruning.structure": "unstructured", "pruning.per_layer": text})


# Fisher


@given(st.integers(0, 30), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_the_fisher_diagonal_is_the_mean_square_of_each_samples_gradient(
    seed: int, sizes: list[int]
) -> None:
    torch.manual_seed(seed)
    module = Net()
    batches = [{"given": torch.randn(size, 5)} for size in sizes]
    expected = {name: torch.zeros_like(part) for name, part in module.named_parameters()}
    samples = torch.cat([batch["given"] for batch in batches])
    for sample in samples:
        module.zero_grad()
        module(sample[None]).backward()
        for name, part in module.named_parameters():
            assert part.grad is not None
            expected[name] += part.grad**2 / len(samples)
    module.zero_grad()
    with fisher_diagonals(module, batches, loss_of):
        for name, layer in module.named_children():
            own = layer.weight.detach() ** 2 * expected[f"{name}.weight"]
            assert torch.allclose(importance(layer, "fisher"), own, rtol=1e-4, atol=1e-9)
    assert all(part.grad is None and part.requires_grad for part in module.parameters())
    assert not importance(module.first, "fisher").any()


def test_fisher_takes_the_weights_whose_loss_the_error_is_least() -> None:
    """Of a quadratic loss with a diagonal Hessian, those that brain damage would take."""
    torch.manual_seed(2)
    module = Net()
    batches = [{"given": torch.randn(8, 5)}]
    with fisher_diagonals(module, batches, loss_of):
        scores = importance(module.first, "fisher")
    put_zeros(module, ["first"], Zeros("fisher", 0.4, kept_as="zeros"), batches, loss_of)
    gone = module.first.weight == 0
    assert int(gone.sum()) == round(0.4 * 35)
    assert scores[gone].max() <= scores[~gone].min()


def test_fisher_chooses_neurons_by_their_sums() -> None:
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    batches = [{"input": torch.randn(16, 5)}]

    def loss(output: torch.Tensor) -> torch.Tensor:
        return output.square().mean()

    with fisher_diagonals(module, batches, loss):
        total = importance(module[0], "fisher").sum(dim=1) + importance(module[2], "fisher").sum(0)
    before = module[0].weight.detach().clone()
    make_smaller(module, Smaller("fisher", mlp_ratio=0.5), (), batches, loss)
    kept = total.argsort(stable=True)[4:].sort().values
    assert torch.equal(module[0].weight.detach(), before[kept])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("section", [SINGLE, WIDTH], ids=str)
def test_fisher_prunes_a_real_model(section: dict[str, Any], precision: str) -> None:
    chosen = {**section, "method": "fisher", "calibration_batches": 1}
    module = pruned("llama", chosen, REAL, precision=precision)
    shapes = {name: part.shape for name, part in module.named_parameters()}
    assert shapes == {name: part.shape for name, part in pruned("llama", chosen).named_parameters()}
    assert not any(hasattr(part, "fisher_diagonal") for part in module.parameters())
