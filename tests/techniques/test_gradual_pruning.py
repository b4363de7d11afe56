"""Zeros chosen while training: when, how many, and what they hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from memplanner.errors import PlanError
from memplanner.techniques.prepare import check, prepare
from memplanner.techniques.sparsity.gradual import GradualZeros, Schedule
from memplanner.techniques.sparsity.zeros import Zeros
from memplanner.techniques.step import Held, run_step
from tests.estimate.recordings import CPU, tiny
from tests.techniques.pruned_models import LORA, REAL, plan_of
from tests.techniques.test_step import Plainly

GRADUAL = {"structure": "unstructured", "schedule": "polynomial", "last_step": 5, "every": 2}
STEPS = st.integers(1, 60)


class Silent:
    """An observer that notes nothing."""

    def phase(self, phase: Any, micro_batch: int) -> None:
        """Notes nothing."""


def zeros_in(module: nn.Module) -> list[int]:
    """How many weights of each masked or pruned layer are zero."""
    return [
        int(
            (part.weight_mask == 0).sum()
            if hasattr(part, "weight_mask")
            else (part.weight == 0).sum()
        )
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) and name != "lm_head"
    ]


def after_steps(
    section: dict[str, Any], count: int, **others: Any
) -> tuple[nn.Module, list[float]]:
    """The tiny Llama after so many steps, and the share of zeros after each."""
    torch.manual_seed(0)
    plan = plan_of(section, **others)
    prepared = prepare(tiny("llama"), plan, CPU, REAL)
    held, shares = Held(), []
    total = sum(
        part.weight.numel()
        for name, part in prepared.module.named_modules()
        if isinstance(part, nn.Linear) and name != "lm_head"
    )
    for _ in range(count):
        batch = prepared.model.batch(2, 12, REAL)
        list(run_step(prepared, [batch], Plainly(), Silent(), held))
        shares.append(sum(zeros_in(prepared.module)) / total)
    return prepared.module, shares


@given(STEPS, STEPS, st.integers(1, 20), st.floats(0.5, 6))
def test_the_share_rises_from_none_to_all(
    first: int, more: int, every: int, exponent: float
) -> None:
    schedule = Schedule("polynomial", first, first + more, every, exponent)
    shares = [schedule.share(step) for step in range(1, first + more + 5)]
    assert shares == sorted(shares)
    assert schedule.share(first) == pytest.approx(0)
    assert set(shares[first + more - 1 :]) == {1.0}
    due = [step for step in range(1, first + more + 5) if schedule.is_due(step)]
    assert due == sorted({*range(first, first + more + 1, every), first + more})


def test_the_published_formula() -> None:
    """Zhu & Gupta 2017: s_f + (s_i − s_f)(1 − (t − t₀) / (nΔt))³, with s_i = 0."""
    schedule = Schedule(first_step=10, last_step=50, every=10)
    for step in range(10, 51):
        expected = 0.8 + (0 - 0.8) * (1 - (step - 10) / 40) ** 3
        assert 0.8 * schedule.share(step) == pytest.approx(expected)


@pytest.mark.parametrize("kept_as", ["masks", "zeros"])
@pytest.mark.parametrize("scope", ["per_layer", "global"])
def test_every_choice_has_exactly_its_share(kept_as: str, scope: str) -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(8, 12), nn.Linear(12, 10))
    zeros = Zeros(ratio=0.7, kept_as=kept_as, together=scope == "global")
    schedule = Schedule(first_step=1, last_step=9, every=2)
    gradual = GradualZeros(module, ["0", "1"], zeros, schedule)
    for step in range(1, 12):
        if kept_as == "zeros":
            with torch.no_grad():
                for layer in module:
                    layer.weight.add_(torch.randn_like(layer.weight))  # as an optimizer would
        gradual.step()
        assert gradual.happened is schedule.is_due(step)
        if not gradual.happened:
            continue
        share = 0.7 * schedule.share(step)
        found = zeros_in(module)
        if scope == "global":
            assert sum(found) == round(share * (96 + 120))
        else:
            assert found == [round(share * 96), round(share * 120)]


def test_a_weight_may_come_back() -> None:
    module = nn.Sequential(nn.Linear(2, 1))
    weight: Any = module[0].weight
    with torch.no_grad():
        weight.copy_(torch.tensor([[1.0, 2.0]]))
    gradual = GradualZeros(module, ["0"], Zeros(), Schedule("constant", 1, 2, 1))
    gradual.step()
    layer: Any = module[0]
    assert layer.weight_mask.tolist() == [[0, 1]]
    with torch.no_grad():
        layer.weight_orig.copy_(torch.tensor([[1.0, 0.5]]))
    gradual.step()
    assert layer.weight_mask.tolist() == [[1, 0]]


def test_n_of_m_are_chosen_anew() -> None:
    module = nn.Sequential(nn.Linear(8, 3))
    gradual = GradualZeros(module, ["0"], Zeros(n_m=(2, 4)), Schedule("constant", 1, 1, 1))
    gradual.step()
    mask: Any = module[0].weight_mask
    assert set(mask.view(-1, 4).sum(dim=1).tolist()) == {2}


def test_ratios_by_layer_are_reached() -> None:
    module = nn.Sequential(nn.Linear(8, 12), nn.Linear(12, 10))
    zeros = Zeros(ratio=0.5, per_layer=(("1", 0.25), ("nothing", 0.9)))
    gradual = GradualZeros(module, ["0", "1"], zeros, Schedule("constant", 1, 1, 1))
    gradual.step()
    assert zeros_in(module) == [48, 30]


@pytest.mark.parametrize("others", [{}, {"optimizer__name": "sgd"}], ids=str)
def test_steps_of_a_run_reach_the_ratio(others: dict[str, Any]) -> None:
    schedule = Schedule(first_step=1, last_step=5, every=2)
    module, shares = after_steps({**GRADUAL, "ratio": 0.6}, 6, **others)
    expected = [0.6 * schedule.share(max(step - (step + 1) % 2, 1)) for step in (1, 2, 3, 4, 5, 5)]
    assert shares == pytest.approx(expected, abs=2e-3)
    batch = tiny("llama").batch(2, 12, REAL)
    module(**batch)["loss"].backward()
    layer: Any = module.model.layers[0].mlp.up_proj  # type: ignore[union-attr]  # torch's type
    assert not layer.weight_orig.grad[layer.weight_mask == 0].any()


def test_updates_in_backward_are_followed_too() -> None:
    section = {**GRADUAL, "kept_as": "zeros", "schedule": "constant", "every": 1}
    _, shares = after_steps(section, 2, optimizer__update="in_backward")
    assert shares == pytest.approx([0.5, 0.5], abs=2e-3)


def test_adapters_train_beside_what_is_pruned() -> None:
    section = {**GRADUAL, "kept_as": "zeros", "schedule": "constant", "last_step": 9}
    prepared = prepare(tiny("llama"), plan_of(section, **LORA), CPU, REAL)
    batch = prepared.model.batch(2, 12, REAL)
    list(run_step(prepared, [batch], Plainly(), Silent(), Held()))
    layer: Any = prepared.module.get_submodule("model.layers.0.self_attn.q_proj.base_layer")
    assert int((layer.weight == 0).sum()) == layer.weight.numel() // 2


@pytest.mark.parametrize(
    ("section", "others", "words"),
    [
        ({**GRADUAL, "kept_as": "packed"}, LORA, "choose pruning.kept_as=masks or zeros"),
        ({**GRADUAL, "method": "wanda"}, {}, "choose pruning.method=magnitude"),
        ({**GRADUAL, "first_step": 5}, {}, "choose a last_step beyond first_step"),
        (
            {**GRADUAL, "schedule": "constant", "first_step": 6}, {},
            "choose a last_step beyond it",
        ),
        ({**GRADUAL, "structure": "n_m"}, {}, "choose pruning.schedule=constant"),
        ({**GRADUAL, "select": "threshold"}, {}, "needs a ratio to reach"),
        ({**GRADUAL, "structure": "structured"}, {}, "choose pruning.schedule=once"),
        (
            {**GRADUAL, "kept_as": "zeros"}, {**LORA, "quantization__method": "nf4"},
            "choose pruning.schedule=once or quantization.method=none",
        ),
    ],
)  # fmt: skip
def test_what_a_schedule_cannot_do_is_refused(
    section: dict[str, Any], others: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError) as error:
        check(plan_of(section, **others), CPU)
    assert words in str(error.value)
    assert str(error.value).endswith(".")
