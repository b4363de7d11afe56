"""Quantization of a model: which layers, what is refused, what is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.estimate import estimate
from memplanner.estimate.cutting import cuts
from memplanner.plan import Plan
from memplanner.plan.quantization import Quantization as Section
from memplanner.techniques.low_bit import bitsandbytes
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import QuantizedLinear, quantize_layers
from memplanner.techniques.prepare import check, prepare
from memplanner.techniques.quantization import (
    compute_type,
    format_of,
    layer_names,
    uses_bitsandbytes,
)
from memplanner.techniques.target import Target
from tests.estimate.recordings import CPU, H100, META, planned, recipe, tiny

REAL = torch.device("cpu")
LORA = {"adapters__method": "lora", "adapters__rank": 4}


def quantized(name: str, device: torch.device = META, **values: Any) -> nn.Module:
    plan = planned(2, 8, **{"quantization__method": "linear", **LORA, **values})
    return prepare(tiny(name), plan, CPU, device).module


def chosen(module: nn.Module) -> set[str]:
    return {
        name.removesuffix(".base_layer")
        for name, part in module.named_modules()
        if isinstance(part, QuantizedLinear)
    }


def linear(module: nn.Module) -> set[str]:
    return {
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) or type(part).__name__ == "Conv1D"
    }


# Which layers


@pytest.mark.parametrize(
    ("name", "head"),
    [("llama", "lm_head"), ("gpt2", "lm_head"), ("vit", "classifier"), ("t5", "lm_head")],
)
def test_every_linear_layer_but_the_head(name: str, head: str) -> None:
    assert chosen(quantized(name)) == linear(tiny(name).build(META)) - {head}


def test_the_head_too_where_it_is_asked_for() -> None:
    module = quantized("llama", quantization__layers="all")
    assert chosen(module) == linear(tiny("llama").build(META))


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ("q_proj, v_proj", 12),
        ("self_attn.q_proj", 6),
        ("model.layers.*.mlp.*", 18),
        ("model.layers.[0-2].mlp.up_proj", 3),
        ("model.layers.1.mlp.up_proj, lm_head", 2),
        ("*", 43),
    ],
)
def test_names_and_patterns(names: str, count: int) -> None:
    module = quantized("llama", quantization__layers="named", quantization__target_modules=names)
    assert len(chosen(module)) == count


@pytest.mark.parametrize("wrong", ["nothing", "embed_tokens", "model.layers.9.*", "layers"])
def test_a_name_that_is_no_linear_layer_is_refused_with_those_there_are(wrong: str) -> None:
    with pytest.raises(PlanError) as error:
        quantized(
            "llama",
            quantization__layers="named",
            quantization__target_modules=f"q_proj, {wrong}",
        )
    assert str(error.value) == (
        f"quantization.target_modules names “{wrong}”, which is no linear layer of this model; "
        "its layers are down_proj, gate_proj, k_proj, lm_head, o_proj, q_proj, up_proj, v_proj."
    )


def test_names_are_asked_for_where_there_are_none() -> None:
    with pytest.raises(PlanError, match=r"needs names in quantization\.target_modules"):
        quantized("llama", quantization__layers="named")


def test_a_model_without_linear_layers_is_refused(tmp_path: Path) -> None:
    source = """
from torch import nn


def model():
    return nn.Sequential(nn.Conv1d(3, 4, 3))


def batch(batch_size, sequence_length):
    return {}
"""
    module = recipe(tmp_path, source).build(META)
    with pytest.raises(
        PlanError, match=r"finds no linear layer to quantize .*; choose quantization\.method=none"
    ):
        layer_names(module, Section(method="nf4", layers="all"))


def test_layers_with_a_forward_of_their_own_are_left_alone() -> None:
    class Twice(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  (torch's own name)
            return 2 * super().forward(input)

    module = nn.ModuleDict(
        {
            "plain": nn.Linear(4, 4),
            "twice": Twice(4, 4),
            "attention": nn.MultiheadAttention(4, 2),
        }
    )
    assert layer_names(module, Section(method="nf4", layers="all")) == ["plain"]


# What is refused


def test_a_full_fine_tune_is_refused() -> None:
    with pytest.raises(PlanError) as error:
        check(planned(quantization__method="nf4"), CPU)
    assert str(error.value) == (
        "quantization.method=nf4 freezes the weights it packs, so they cannot be fine-tuned in "
        "full; choose adapters.method=lora or quantization.method=none."
    )
    check(planned(quantization__method="nf4", adapters__method="lora"), CPU)


@pytest.mark.parametrize(
    ("values", "choice"),
    [
        ({"quantization__layers": "all"}, "choose quantization.layers=all_but_head"),
        (
            {"quantization__layers": "named", "quantization__target_modules": "lm_head"},
            "take it out of quantization.target_modules",
        ),
    ],
)
def test_a_tied_embedding_is_refused(values: dict[str, Any], choice: str) -> None:
    with pytest.raises(PlanError) as error:
        quantized("gpt2", **values)
    assert str(error.value).startswith("lm_head shares its weight with transformer.wte, ")
    assert choice in str(error.value)


def test_a_bias_may_be_shared() -> None:
    module = quantized("bert", quantization__layers="named", quantization__target_modules="dense")
    assert len(chosen(module)) == 6 * 3 + 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"bits": 1}, "p: quantization.bits is 1, but must be a whole number from 2 to 8."),
        (
            {"method": "awq"},
            "p: quantization.method cannot be “awq”; choose none, linear, nf4, companding, qat, "
            "dynamic_int8 or fp8.",
        ),
        (
            {"symmetric": "maybe"},
            "p: quantization.symmetric is “maybe”, but must be true or false.",
        ),
    ],
)
def test_values_out_of_range(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PlanError) as error:
        Plan.parse({"quantization": values}, origin="p")
    assert str(error.value) == sentence


# What a plan means


def test_the_default_changes_nothing() -> None:
    module = prepare(tiny("llama"), planned(2, 8, **LORA), CPU, META).module
    assert not chosen(module)
    assert Plan().quantization.summary == "off"


def test_summaries() -> None:
    assert Section(method="nf4").summary == "NF4"
    assert Section(method="linear", bits=3).summary == "linear, 3 bits"


def test_a_section_as_a_format() -> None:
    section = Section(
        method="linear", bits=3, granularity="channel", symmetric=True, clipping="minimum_mse"
    )
    assert format_of(section) == Format(
        "linear", bits=3, granularity="channel", symmetric=True, clipping=True
    )
    assert format_of(Section(method="nf4", bits=8)) == Format("nf4", double_quantization=True)
    assert format_of(Section(method="companding", curve="sigmoid")).levels().numel() == 16


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"precision": "bf16_mixed"}, torch.bfloat16),
        ({"precision": "bf16"}, None),
        ({"quantization__compute_type": "fp16"}, torch.float16),
        ({"quantization__compute_type": "fp32", "precision": "bf16_mixed"}, torch.float32),
    ],
)
def test_products_are_in_the_type_that_the_plan_says(
    values: dict[str, Any], expected: torch.dtype | None
) -> None:
    assert compute_type(planned(**values)) is expected


def test_bitsandbytes_expands_nf4_on_cuda_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nf4, even = (planned(quantization__method=method) for method in ("nf4", "linear"))
    for there in (False, True):
        monkeypatch.setattr(bitsandbytes, "installed", lambda there=there: there)
        assert uses_bitsandbytes(nf4, H100, weightless=False) is there
        assert uses_bitsandbytes(nf4, H100, weightless=True), "wherever it is planned"
        assert not uses_bitsandbytes(nf4, CPU, weightless=True)
        assert not uses_bitsandbytes(even, H100, weightless=True)


def test_notes_say_what_a_saved_byte_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(quantization__method="nf4", **LORA)
    monkeypatch.setattr(bitsandbytes, "installed", lambda: False)
    notes = {target: prepare(tiny("llama"), plan, target, META).notes for target in (CPU, H100)}
    assert any("save memory now" in note for note in notes[CPU])
    assert not any("bitsandbytes" in note for note in notes[CPU])
    assert any("pip install 'memplanner[bitsandbytes]'" in note for note in notes[H100])
    assert prepare(tiny("llama"), planned(), CPU, META).notes == ()


# The model


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_model_computes_nearly_the_same_in_eight_bits(name: str) -> None:
    torch.manual_seed(0)
    module = tiny(name).build(REAL).eval()
    batch = tiny(name).batch(2, 8, REAL)
    with torch.no_grad():
        before = module(**batch)["logits"]
    names = layer_names(module, Section(method="linear"))
    quantize_layers(module, names, Format("linear", bits=8, group_size=16))
    with torch.no_grad():
        after = module(**batch)["logits"]
    assert len(chosen(module)) == len(names)
    assert not torch.equal(before, after)
    assert torch.allclose(before, after, atol=0.02 * float(before.abs().max()))


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit", "t5", "mixtral"])
@pytest.mark.parametrize("method", ["linear", "nf4"])
def test_weightless_and_real_models_become_alike(name: str, method: str) -> None:
    found = []
    for device in (META, REAL):
        module = quantized(name, device, quantization__method=method)
        tensors = [*module.named_parameters(), *module.named_buffers()]
        storages = {
            part.untyped_storage()._cdata: part.untyped_storage().nbytes() for _, part in tensors
        }
        found.append(
            (
                {n: (tuple(part.shape), part.dtype, part.requires_grad) for n, part in tensors},
                sorted(storages.values()),
            )
        )
    assert found[0] == found[1]


def test_adapters_train_and_nothing_else() -> None:
    plan = planned(2, 8, quantization__method="nf4", **LORA)
    prepared = prepare(tiny("llama"), plan, CPU, REAL)
    before = {name: part.detach().clone() for name, part in prepared.module.named_parameters()}
    assert {name for name, part in prepared.module.named_parameters() if part.requires_grad} == {
        name for name in before if ".lora_" in name
    }
    batch = prepared.model.batch(2, 8, REAL)
    for _ in range(2):  # the first step changes one of an adapter's two matrices only
        prepared.loss(prepared.module(**batch)).backward()
        prepared.optimizer.step()
        prepared.optimizer.zero_grad()
    changed = {
        name
        for name, part in prepared.module.named_parameters()
        if not torch.equal(part, before[name])
    }
    assert changed == {name for name in before if ".lora_" in name}


def test_a_module_in_host_memory_is_brought_to_the_device() -> None:
    module = tiny("llama").build(REAL)
    plan = planned(2, 8, quantization__method="nf4", **LORA)
    prepared = prepare(tiny("llama"), plan, Target(), META, module=module)
    assert {part.device for part in prepared.module.parameters()} == {META}
    assert {part.device for part in prepared.module.buffers()} == {META}


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        ("q_proj", [(0, 10)]),
        ("model.layers.*.mlp.fc1", [(0, 10)]),
        ("model.layers.3.mlp.up_proj", [(4, 6)]),
        ("model.layers.[0-4].*", [(0, 5), (5, 5)]),
        ("model.layers.[1357].*", []),
    ],
)
def test_blocks_fold_with_those_that_are_named_alike(
    names: str, runs: list[tuple[int, int]]
) -> None:
    plan = planned(quantization__layers="named", quantization__target_modules=names)
    found = cuts(tiny("long llama").build(META), plan)
    assert [(cut.start, cut.periods) for cut in found] == runs


def test_a_model_in_few_bits_has_as_many_parameters_as_before() -> None:
    counts = {}
    for method in ("none", "nf4", "linear"):
        plan = planned(2, 8, quantization__method=method, **LORA)
        predicted = estimate(tiny("llama"), plan, "cpu").model
        counts[method] = (predicted.parameters, predicted.trainable_parameters)
    assert len(set(counts.values())) == 1
