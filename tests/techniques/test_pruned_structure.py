"""Structured pruning of a model: narrower MLPs, fewer heads and blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.estimate import estimate
from memplanner.model.loaded import Model
from memplanner.techniques.prepare import prepare
from memplanner.techniques.sparsity import heads, widths
from tests.estimate.recordings import CPU, META, recipe, tiny
from tests.techniques.pruned_models import (
    ALL,
    BLOCKS,
    HEADS,
    REAL,
    WIDTH,
    plan_of,
    pruned,
)

CASES = [
    *(
        (name, section)
        for name in ("llama", "vit", "mixtral", "qwen2_moe", "gemma3")
        for section in (WIDTH, HEADS, BLOCKS, ALL)
    ),
    *((name, section) for name in ("gpt2", "bert", "t5") for section in (WIDTH, BLOCKS)),
    ("swin", BLOCKS),
]


@pytest.mark.parametrize(("name", "section"), CASES, ids=str)
def test_what_is_saved_opens_again_and_computes_the_same(
    name: str, section: dict[str, Any], tmp_path: Path
) -> None:
    module: Any = pruned(name, section, REAL).eval()
    module.save_pretrained(tmp_path)
    again = type(module).from_pretrained(tmp_path).eval()
    batch = tiny(name).batch(2, 12, REAL)
    with torch.no_grad():
        assert torch.equal(module(**batch)["logits"], again(**batch)["logits"])


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "t5", "vit", "mixtral"])
@pytest.mark.parametrize("method", ["magnitude", "taylor", "wanda"])
def test_a_narrower_mlp_computes_as_one_whose_neurons_are_silent(name: str, method: str) -> None:
    """What goes is what the narrower layers lack, and the rest belongs together."""
    model = tiny(name)
    torch.manual_seed(0)
    module = model.build(REAL)
    _spread_neurons(module)
    batch = model.batch(2, 12, REAL)
    expected = _with_silent_neurons(module, 2, model, batch)
    plan = plan_of({**WIDTH, "width_multiple": 1, "method": method, "calibration_batches": 1})
    smaller = prepare(model, plan, CPU, REAL, module=module).module.eval()
    with torch.no_grad():
        assert torch.allclose(smaller(**batch)["logits"], expected, atol=1e-5)


def _rows(module: nn.Module, mlp: widths.Mlp) -> tuple[Any, Any]:
    """Weights (…, out, in) of what makes an MLP's neurons, and of what takes them."""
    part: Any = module.get_submodule(mlp.path)
    if mlp.experts:
        return [part.gate_up_proj], part.down_proj
    layers = [part.get_submodule(each) for each in (*mlp.producers, mlp.consumer)]
    *made, taken = (
        each.weight.t() if type(each).__name__ == "Conv1D" else each.weight for each in layers
    )
    return made, taken


def _spread_neurons(module: nn.Module) -> None:
    """Every second neuron nearly silent, so that every score agrees on which go."""
    with torch.no_grad():
        for mlp in widths.find_mlps(module):
            made, taken = _rows(module, mlp)
            for rows in made:
                rows[..., ::2, :] *= 1e-3
            taken[..., ::2] *= 1e-3


def _with_silent_neurons(module: nn.Module, every: int, model: Model, batch: Any) -> torch.Tensor:
    kept = {name: part.detach().clone() for name, part in module.named_parameters()}
    with torch.no_grad():
        for mlp in widths.find_mlps(module):
            _rows(module, mlp)[1][..., ::every] = 0
        logits: torch.Tensor = module.eval()(**batch)["logits"]
        for name, part in module.named_parameters():
            part.copy_(kept[name])
    return logits


def test_a_key_head_goes_with_its_queries() -> None:
    model = tiny("llama", num_attention_heads=8, num_key_value_heads=4, head_dim=8)
    module = model.build(REAL)
    batch = model.batch(2, 12, REAL)
    with torch.no_grad():
        for attention in heads.find_attentions(module):
            part: Any = module.get_submodule(attention.path)
            part.o_proj.weight[:, 16:48] = 0  # two groups of two queries
            part.q_proj.weight[16:48] = 0
            part.k_proj.weight[8:24] = 0
            part.v_proj.weight[8:24] = 0
        expected = module.eval()(**batch)["logits"]
    plan = plan_of(HEADS)
    smaller: Any = prepare(model, plan, CPU, REAL, module=module).module.eval()
    assert (smaller.config.num_attention_heads, smaller.config.num_key_value_heads) == (4, 2)
    with torch.no_grad():
        assert torch.allclose(smaller(**batch)["logits"], expected, atol=1e-6)


def test_heads_that_the_class_would_not_read_again_are_refused() -> None:
    """LlamaConfig takes only numbers of heads that divide the hidden size."""
    model = tiny("llama", num_attention_heads=8, num_key_value_heads=4, head_dim=8)
    plan = plan_of({**HEADS, "head_ratio": 0.25})
    with pytest.raises(PlanError, match=r"6 heads, which LlamaConfig does not take.*choose 0\.5\."):
        prepare(model, plan, CPU, META)
    prepare(model, plan_of(HEADS), CPU, META)


def test_where_queries_share_one_key_head_only_queries_go() -> None:
    module: Any = pruned("llama", HEADS)
    assert module.model.layers[0].self_attn.q_proj.weight.shape == (8, 16)
    assert module.model.layers[0].self_attn.k_proj.weight.shape == (8, 16)
    assert (module.config.num_attention_heads, module.config.num_key_value_heads) == (1, 1)


def test_the_deepest_blocks_but_the_last_go() -> None:
    model = tiny("llama")
    module: Any = model.build(REAL)
    before = list(module.model.layers)
    smaller: Any = prepare(model, plan_of(BLOCKS), CPU, REAL, module=module).module
    assert list(smaller.model.layers) == [*before[:3], before[5]]
    assert [block.self_attn.layer_idx for block in smaller.model.layers] == [0, 1, 2, 3]
    assert smaller.config.num_hidden_layers == 4


def test_blocks_that_change_least_go() -> None:
    model = tiny("llama")
    module: Any = model.build(REAL)
    before = list(module.model.layers)
    with torch.no_grad():
        for index, block in enumerate(before):
            size = 1e-4 if index in (1, 4) else 3.0
            block.self_attn.o_proj.weight.mul_(size)
            block.mlp.down_proj.weight.mul_(size)
    plan = plan_of({**BLOCKS, "block_ratio": 0.34, "block_choice": "influence"})
    smaller: Any = prepare(model, plan, CPU, REAL, module=module).module
    assert list(smaller.model.layers) == [before[index] for index in (0, 2, 3, 5)]


def test_the_model_keeps_its_own_configuration() -> None:
    model = tiny("llama")
    prepare(model, plan_of(ALL), CPU, REAL)
    module: Any = model.build(REAL)
    assert module.config.num_hidden_layers == 6
    assert module.config.intermediate_size == 24


def test_a_recipes_own_mlp_gets_narrower(tmp_path: Path) -> None:
    source = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Dropout(0.1), nn.Linear(32, 8))

    def forward(self, x):
        return {"loss": self.body(x).square().mean()}


def model():
    return Net()


def batch(batch_size, sequence_length):
    return {"x": torch.randn(batch_size, 8)}
"""
    model = recipe(tmp_path, source)
    module = prepare(model, plan_of(WIDTH), CPU, REAL).module
    shapes = [tuple(part.shape) for part in module.parameters()]
    assert shapes == [(16, 8), (16,), (8, 16), (8,)]
    module(**model.batch(2, 1, REAL))["loss"].backward()
    assert estimate(model, plan_of(WIDTH), "cpu").model.parameters == 16 * 8 + 16 + 8 * 16 + 8
