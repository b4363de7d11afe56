"""Laws of masks, scores, SparseGPT and packed storage."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from memplanner.techniques.sparsity.calibration import hessians, input_norms
from memplanner.techniques.sparsity.masks import (
    highest,
    mask_lowest,
    mask_n_m,
    mask_rows,
    masks_together,
)
from memplanner.techniques.sparsity.packed import PackedLinear, pack_bits, unpack_bits
from memplanner.techniques.sparsity.sparsegpt import sparsegpt
from memplanner.techniques.sparsity.zeros import Zeros, make_permanent, put_zeros

RATIOS = st.floats(0, 1)


@st.composite
def scores(draw: st.DrawFn) -> torch.Tensor:
    """Matrices of few different numbers, so that ties are common."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    values = draw(st.lists(st.integers(0, 4), min_size=rows * columns, max_size=rows * columns))
    return torch.tensor(values, dtype=torch.float32).view(rows, columns)


# Masks


@given(scores(), RATIOS)
def test_a_mask_takes_exactly_what_is_asked_and_the_lowest(
    given_scores: torch.Tensor, ratio: float
) -> None:
    count = round(ratio * given_scores.numel())
    mask = mask_lowest(given_scores, count)
    assert int((~mask).sum()) == count
    if 0 < count < given_scores.numel():
        assert given_scores[~mask].max() <= given_scores[mask].min()


@given(scores(), RATIOS)
def test_of_equal_scores_the_first_go(given_scores: torch.Tensor, ratio: float) -> None:
    count = round(ratio * given_scores.numel())
    order = given_scores.flatten().argsort(stable=True)
    expected = torch.ones(given_scores.numel(), dtype=torch.bool)
    expected[order[:count]] = False
    assert torch.equal(mask_lowest(given_scores, count).flatten(), expected)


@given(scores(), RATIOS)
def test_every_row_loses_the_same(given_scores: torch.Tensor, ratio: float) -> None:
    gone = (~mask_rows(given_scores, ratio)).sum(dim=1)
    assert set(gone.tolist()) == {round(ratio * given_scores.shape[1])}


@given(st.integers(1, 4), st.integers(1, 5), st.data())
def test_n_of_each_m_stay(rows: int, groups: int, data: st.DataObject) -> None:
    m = data.draw(st.integers(2, 8))
    n = data.draw(st.integers(1, m - 1))
    mask = mask_n_m(torch.rand(rows, groups * m), n, m)
    assert set(mask.view(-1, m).sum(dim=1).tolist()) == {n}


@given(st.lists(scores(), min_size=1, max_size=4), RATIOS)
def test_masks_together_take_the_share_of_all(parts: list[torch.Tensor], ratio: float) -> None:
    parts = [part.abs() for part in parts]
    masks = list(masks_together(lambda: parts, ratio))
    total = sum(part.numel() for part in parts)
    whole = mask_lowest(torch.cat([part.flatten() for part in parts]), round(ratio * total))
    assert torch.equal(torch.cat([mask.flatten() for mask in masks]), whole)
    assert sum(int((~mask).sum()) for mask in masks) == round(ratio * total)
    assert [mask.shape for mask in masks] == [part.shape for part in parts]


@given(scores(), st.data())
def test_the_highest_are_in_order_and_each_once(
    given_scores: torch.Tensor, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, given_scores.shape[1]))
    for row, kept in zip(given_scores, highest(given_scores, count), strict=True):
        assert kept.tolist() == sorted(set(kept.tolist()))
        assert sorted(row[kept].tolist()) == sorted(row.tolist())[-count:]


# Scores on data


class Two(nn.Module):
    """Two layers, the second of which sees what the first makes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(32, 48), nn.Linear(48, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.second(self.first(x).relu())
        return result


def batches(count: int = 3) -> list[dict[str, torch.Tensor]]:
    """Inputs of which some are larger and all are correlated, as in a trained model."""
    source = torch.Generator().manual_seed(5)
    mix = torch.randn(32, 32, generator=source) * torch.logspace(-1, 1, 32)
    return [{"x": torch.randn(4, 40, 32, generator=source) @ mix} for _ in range(count)]


def test_norms_and_hessians_are_those_of_all_tokens() -> None:
    given_batches = batches()
    every = torch.cat([batch["x"].flatten(0, 1) for batch in given_batches])
    module = Two()
    assert torch.allclose(
        input_norms(module, ["first"], given_batches)["first"], every.norm(dim=0), rtol=1e-5
    )
    found = hessians(module, ["first"], given_batches)["first"]
    assert torch.allclose(found, 2 * every.T @ every / len(every), rtol=1e-4, atol=1e-3)


def test_a_calibrated_module_is_as_it_was() -> None:
    module = Two()
    module.first.weight.requires_grad_(False)
    before = {name: part.clone() for name, part in module.state_dict().items()}
    put_zeros(module, ["second"], Zeros("taylor", kept_as="zeros"), batches(), torch.sum)
    assert module.training
    assert all(part.grad is None for part in module.parameters())
    assert [part.requires_grad for part in module.parameters()] == [False, True, True, True]
    assert torch.equal(module.first.weight, before["first.weight"])
    assert not any(layer._forward_pre_hooks for layer in module.modules())


@pytest.mark.parametrize("method", ["magnitude", "wanda", "taylor"])
def test_zeros_lie_where_the_published_score_is_lowest(method: str) -> None:
    torch.manual_seed(1)
    module, given_batches = Two(), batches()
    weight = module.first.weight.detach().clone()
    norms = torch.cat([batch["x"].flatten(0, 1) for batch in given_batches]).norm(dim=0)
    for batch in given_batches:
        module(**batch).sum().backward()
    assert module.first.weight.grad is not None
    score = {
        "magnitude": weight.abs(),
        "wanda": weight.abs() * norms,
        "taylor": (weight * module.first.weight.grad).abs(),
    }[method]
    module.zero_grad()
    put_zeros(module, ["first"], Zeros(method, kept_as="zeros"), given_batches, torch.sum)
    kept = module.first.weight != 0
    if method == "wanda":
        expected = score > score.kthvalue(16, dim=1, keepdim=True).values
    else:
        expected = score > score.flatten().kthvalue(score.numel() // 2).values
    assert torch.equal(kept, expected)


# SparseGPT


def layer_and_hessian() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    module = Two()
    return module.first.weight.detach().clone(), hessians(module, ["first"], batches())["first"]


def output_error(weight: torch.Tensor, pruned: torch.Tensor, hessian: torch.Tensor) -> float:
    """‖(W − Ŵ)X‖², over ‖WX‖²."""
    gone = pruned - weight
    return float(((gone @ hessian) * gone).sum() / ((weight @ hessian) * weight).sum())


@pytest.mark.parametrize("n_m", [None, (2, 4), (1, 4), (4, 8)])
def test_outputs_err_less_by_sparsegpt_than_by_wanda_than_by_magnitude(
    n_m: tuple[int, int] | None,
) -> None:
    weight, hessian = layer_and_hessian()
    errors: list[float] = []
    for method in ("sparsegpt", "wanda", "magnitude"):
        torch.manual_seed(2)
        module = Two()
        put_zeros(module, ["first"], Zeros(method, n_m=n_m, kept_as="zeros"), batches())
        errors.append(output_error(weight, module.first.weight.detach(), hessian))
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("columns", [24, 128, 300])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.73])
def test_sparsegpt_holds_the_ratio_exactly(columns: int, ratio: float) -> None:
    torch.manual_seed(3)
    given_inputs = torch.randn(500, columns)
    new, mask = sparsegpt(torch.randn(7, columns), given_inputs.T @ given_inputs, ratio=ratio)
    assert int((~mask).sum()) == round(ratio * 7 * columns)
    assert bool((new[~mask] == 0).all())


def test_without_correlation_sparsegpt_is_magnitude() -> None:
    weight = torch.randn(8, 16)
    new, mask = sparsegpt(weight, torch.eye(16))
    assert torch.equal(mask, mask_lowest(weight.abs(), 64))
    assert torch.allclose(new, weight * mask, atol=1e-6)


def test_what_is_left_is_the_best_for_one_zero_a_row() -> None:
    """With the last column's weight gone, the closed form of OBS has nothing left to move."""
    torch.manual_seed(4)
    given_inputs = torch.randn(4000, 3) @ torch.tensor([[1.0, 0.6, 0.2], [0, 1, 0.5], [0, 0, 1]])
    weight = torch.tensor([[0.01, 1.0, 1.0]])  # the first goes, and the two behind make up for it
    new, mask = sparsegpt(weight, given_inputs.T @ given_inputs, ratio=1 / 3)
    assert mask.tolist() == [[False, True, True]]
    target = given_inputs @ weight[0]
    best = torch.linalg.lstsq(given_inputs[:, 1:], target).solution
    assert torch.allclose(new[0, 1:], best, atol=1e-3)


def test_an_input_that_is_never_there_costs_nothing() -> None:
    hessian = torch.eye(6)
    hessian[2, 2] = 0
    new, mask = sparsegpt(torch.ones(2, 6), hessian, ratio=0.5)
    assert bool(new.isfinite().all())
    assert not bool(mask[:, 2].any())


# Packed


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_bits_come_back(bits: list[bool]) -> None:
    kept = torch.tensor(bits)
    packed = pack_bits(kept)
    assert packed.numel() == -(-len(bits) // 8)
    assert torch.equal(unpack_bits(packed, len(bits)), kept)


@settings(deadline=None)
@given(st.sampled_from([8, 24, 64]), st.integers(1, 50))
def test_packed_weights_are_the_dense_ones(chunk: int, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("memplanner.techniques.sparsity.packed.CHUNK", chunk)
        weight = torch.randn(5, columns)
        kept = mask_lowest(weight.abs(), weight.numel() // 2)
        layer = PackedLinear(weight, kept, int(kept.sum()), None)
        assert torch.equal(layer.weight, weight * kept)


def packed(bias: bool = True, **options: Any) -> tuple[PackedLinear, torch.Tensor]:
    torch.manual_seed(6)
    weight = torch.randn(12, 16)
    kept = mask_n_m(weight.abs(), 2, 4)
    own = nn.Parameter(torch.randn(12)) if bias else None
    return PackedLinear(weight, kept, int(kept.sum()), own, **options), weight * kept


def test_a_packed_layer_computes_as_the_dense_one() -> None:
    layer, dense = packed()
    results = []
    for product in (layer, lambda x: nn.functional.linear(x, dense, layer.bias)):
        x = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()
        layer.zero_grad()
        output = product(x)
        output.square().sum().backward()
        assert layer.bias is not None
        assert layer.bias.grad is not None
        results.append((output.detach(), x.grad, layer.bias.grad.clone()))
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_a_packed_layer_keeps_nothing_for_backward() -> None:
    kept = []
    layer, _ = packed()
    with torch.autograd.graph.saved_tensors_hooks(lambda part: kept.append(part), lambda _: None):
        layer(torch.randn(3, 16, requires_grad=True))
    assert kept == []


def test_a_packed_layer_takes_half_the_values_and_a_bit_a_weight() -> None:
    layer, dense = packed(bias=False)
    assert sum(part.nbytes for part in layer.parameters()) == 4 * dense.numel() // 2 + 24
    assert layer.weight.shape == (12, 16)
    assert "96 weights" in repr(layer)


def test_a_checkpoint_of_a_packed_layer_brings_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memplanner.techniques.sparsity.packed.CHUNK", 64)
    layer, dense = packed()
    other = PackedLinear(torch.ones(12, 16), torch.arange(192).view(12, 16) < 96, 96, layer.bias)
    assert not torch.equal(other.weight, dense)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.weight, dense)


def test_products_are_in_the_type_that_is_asked_for() -> None:
    layer, dense = packed(bias=False, compute_type=torch.bfloat16)
    x = torch.randn(3, 16, requires_grad=True)
    output = layer(x)
    assert output.dtype is torch.float32
    expected = (x.detach().bfloat16() @ dense.bfloat16().T).float()
    assert torch.equal(output, expected)
    output.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype is torch.float32


# Masks in a module


def test_masked_weights_stay_zero_while_they_are_trained_and_become_permanent() -> None:
    torch.manual_seed(7)
    module = Two()
    put_zeros(module, ["first", "second"], Zeros(ratio=0.25))
    gone = module.first.weight == 0
    assert int(gone.sum()) == 32 * 48 // 4
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    for batch in batches():
        module(**batch).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    module(**batches()[0])
    assert torch.equal(module.first.weight == 0, gone)
    make_permanent(module)
    assert set(module.state_dict()) == set(Two().state_dict())
    assert torch.equal(module.first.weight == 0, gone)


def test_the_share_of_all_layers_is_not_that_of_each() -> None:
    torch.manual_seed(8)
    module = Two()
    with torch.no_grad():
        module.second.weight.mul_(100)
    put_zeros(module, ["first", "second"], Zeros(ratio=0.5, together=True, kept_as="zeros"))
    zeros = [int((layer.weight == 0).sum()) for layer in (module.first, module.second)]
    assert sum(zeros) == round(0.5 * (32 * 48 + 48 * 16))
    assert zeros[0] / (32 * 48) > 0.7 > zeros[1] / (48 * 16)
