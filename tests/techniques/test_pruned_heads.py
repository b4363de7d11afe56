"""Heads of BERT, T5, GPT-2 and Swin, whose configurations may not say how many are left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

import memplanner as mp
from memplanner.techniques.prepare import prepare
from memplanner.techniques.pruned_structure import says_heads
from memplanner.techniques.sparsity.heads import Attention, find_attentions
from memplanner.techniques.sparsity.matrices import child, matrix
from tests.estimate.recordings import CPU, META, tiny
from tests.run.judging import judge, planned
from tests.techniques.pruned_models import HEADS, REAL, plan_of

KINDS: dict[str, tuple[int, bool, dict[str, Any]]] = {
    "bert": (6, False, {"num_attention_heads": 4}),
    "gpt2": (6, False, {"n_head": 4}),
    "t5": (20, True, {"num_heads": 4}),
    "swin": (11, False, {"num_heads": (2, 4)}),
}
"""How many attentions there are, whether the configuration says their heads, and how many."""


def _silence(module: nn.Module, part: Attention, gone: list[int]) -> None:
    """Makes heads count for nothing: what makes them is small, what takes them is zero."""
    holder = module.get_submodule(part.path)
    query, key, value, output = (matrix(child(holder, name)) for name in part.names)
    width = part.heads * part.head_size
    with torch.no_grad():
        for head in gone:
            rows = slice(head * part.head_size, (head + 1) * part.head_size)
            output[:, rows] = 0
            for place, layer in enumerate((query, key, value)):
                start = place * width if part.fused else 0
                layer[start + rows.start : start + rows.stop] *= 1e-3


def _first(output: Any) -> torch.Tensor:
    found: torch.Tensor = output["logits"] if "logits" in output else output[0]
    return found


@pytest.mark.parametrize("name", KINDS)
def test_without_silent_heads_the_model_says_the_same(name: str) -> None:
    torch.manual_seed(4)
    count, _, sizes = KINDS[name]
    model = tiny(name, **sizes)
    whole = model.build(META)
    module = model.build(REAL)
    batch = model.batch(2, 12, REAL)
    attentions = find_attentions(module, every=True)
    assert len(attentions) == count
    for number, part in enumerate(attentions):
        half = range(0, part.heads, 2)
        own = half if part.together or number % 2 else range(1, part.heads, 2)
        _silence(module, part, list(own))
    with torch.no_grad():
        expected = _first(module.eval()(**batch))
    smaller = prepare(model, plan_of(HEADS), CPU, REAL, module=module).module.eval()
    with torch.no_grad():
        torch.testing.assert_close(_first(smaller(**batch)), expected, rtol=1e-5, atol=1e-5)
    shapes = {each: part.shape for each, part in smaller.named_parameters()}
    weightless = prepare(model, plan_of(HEADS), CPU, META).module
    assert shapes == {each: part.shape for each, part in weightless.named_parameters()}
    assert [
        smaller.get_submodule(f"{part.path}.{part.names[3]}").weight.numel() for part in attentions
    ] == [
        part.heads
        // 2
        * part.head_size
        * matrix(child(whole.get_submodule(part.path), part.names[3])).shape[0]
        for part in attentions
    ]


@pytest.mark.parametrize("name", KINDS)
def test_whether_the_configuration_says_heads(name: str) -> None:
    assert says_heads(tiny(name).build(META)) is KINDS[name][1]


def test_attentions_with_a_bias_in_common_keep_the_same_heads() -> None:
    attentions = find_attentions(tiny("t5").build(META), every=True)
    words = {part.together for part in attentions if part.path.endswith("SelfAttention")}
    assert words == {"encoder", "decoder"}
    assert {part.together for part in attentions if "EncDec" in part.path} == {""}


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_what_only_this_code_can_open_comes_back(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    module: Any
    if kind == "gpt2":
        module = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=256)
        )
    else:
        config = transformers.BertConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            vocab_size=256,
        )  # fmt: skip
        module = transformers.BertForMaskedLM(config)
    module.save_pretrained(tmp_path / "whole")
    model = mp.load(tmp_path / "whole")
    section = {"structure": "structured", "mlp_ratio": 0.25, "head_ratio": 0.5}
    plan = planned(pruning=section, adapters={"method": "none"})
    judged, smaller = judge(model, plan, judging=False, save=tmp_path / "saved")
    assert judged is not None
    again = mp.load_compressed(tmp_path / "saved")
    ids = torch.arange(40).view(1, 40) * 5 % 256
    with torch.no_grad():
        before, after = (part.eval()(input_ids=ids).logits for part in (smaller, again))
    assert torch.equal(before, after)
    assert sum(part.numel() for part in again.parameters()) < module.num_parameters()
