"""LoRA: which layers get matrices, what is trained, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from memplanner.errors import PlanError
from memplanner.techniques.layer_choice import linear_names
from memplanner.techniques.low_bit.linear import QuantizedLinear
from memplanner.techniques.prepare import prepare
from tests.estimate.recordings import CPU, META, planned, tiny


def adapted(name: str, *targets: str, rank: int = 4, **values: Any) -> nn.Module:
    plan = planned(
        2, 8, adapters__method="lora", adapters__rank=rank,
        adapters__target_modules=list(targets), **values,
    )  # fmt: skip
    return prepare(tiny(name), plan, CPU, META).module


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    return {name: part for name, part in module.named_parameters() if part.requires_grad}


def plain(name: str) -> nn.Module:
    return tiny(name).build(META)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 8),
    st.lists(st.sampled_from(["q_proj", "v_proj", "up_proj", "lm_head"]), min_size=1, unique=True),
)
def test_each_target_gets_two_matrices_of_the_rank(rank: int, targets: list[str]) -> None:
    module = adapted("llama", *targets, rank=rank)
    layers = {
        name: layer
        for name, layer in plain("llama").named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in targets
    }
    assert sum(part.numel() for part in trained(module).values()) == sum(
        rank * (layer.in_features + layer.out_features) for layer in layers.values()
    )
    shapes = {name: tuple(part.shape) for name, part in trained(module).items()}
    for name, layer in layers.items():
        assert shapes[f"{name}.lora_A.default.weight"] == (rank, layer.in_features)
        assert shapes[f"{name}.lora_B.default.weight"] == (layer.out_features, rank)


def test_without_names_every_linear_layer_but_the_head() -> None:
    adapted_layers = {name.split(".lora_")[0] for name in trained(adapted("llama"))}
    assert adapted_layers == {
        name
        for name, layer in plain("llama").named_modules()
        if isinstance(layer, nn.Linear) and name != "lm_head"
    }


@pytest.mark.parametrize(
    ("name", "head"),
    [("bert", "cls.predictions.decoder"), ("vit", "classifier"), ("t5", "lm_head")],
)
def test_heads_are_left_out(name: str, head: str) -> None:
    module = plain(name)
    names = linear_names(module)
    assert isinstance(module.get_submodule(head), nn.Linear)
    assert head not in names
    assert names


def test_gpt2s_own_layers_are_linear_too() -> None:
    """And torch or peft have nothing to warn of."""
    module = adapted("gpt2")
    names = {name.split(".lora_")[0].rpartition(".")[2] for name in trained(module)}
    assert names == {"c_attn", "c_proj", "c_fc"}
    shapes = {name: tuple(part.shape) for name, part in trained(module).items()}
    assert shapes["transformer.h.0.attn.c_attn.lora_B.default.weight"] == (48, 4)


def test_embeddings_can_be_adapted() -> None:
    module = adapted("llama", "embed_tokens")
    assert {tuple(part.shape) for part in trained(module).values()} == {(4, 31), (16, 4)}


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_matrices_are_kept_in_full(precision: str) -> None:
    module = adapted("llama", "q_proj", precision=precision)
    assert {part.dtype for part in trained(module).values()} == {torch.float32}
    frozen = {part.dtype for part in module.parameters() if not part.requires_grad}
    assert frozen == {{"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)}


def test_a_whole_path_is_that_layer_alone() -> None:
    module = adapted("llama", "model.layers.2.mlp.up_proj")
    assert {name.split(".lora_")[0] for name in trained(module)} == {"model.layers.2.mlp.up_proj"}


def test_dropout_keeps_a_module_for_its_mask() -> None:
    with_dropout = adapted("llama", "q_proj", adapters__dropout=0.1)
    types = {type(part).__name__ for part in with_dropout.modules()}
    assert "Dropout" in types
    assert "Dropout" not in {type(part).__name__ for part in adapted("llama", "q_proj").modules()}


@pytest.mark.parametrize("target", ["no_such", "proj", "layers.9.mlp.up_proj", "layers"])
def test_a_target_that_is_no_layer_is_refused_with_those_there_are(target: str) -> None:
    with pytest.raises(PlanError) as error:
        adapted("llama", "q_proj", target)
    assert str(error.value) == (
        f"adapters.target_modules names “{target}”, which is no layer of this model; its layers "
        "are down_proj, embed_tokens, gate_proj, k_proj, lm_head, o_proj, q_proj, up_proj, v_proj."
    )


def test_peft_agrees_on_what_is_adapted() -> None:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"])
    own = adapted("llama", "q_proj", "v_proj")
    theirs: Any = get_peft_model(plain("llama"), config)
    assert {
        name.removeprefix("base_model.model."): (tuple(part.shape), part.requires_grad)
        for name, part in theirs.named_parameters()
    } == {name: (tuple(part.shape), part.requires_grad) for name, part in own.named_parameters()}


def test_weights_in_few_bits_are_not_expanded_to_be_adapted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expanded: list[QuantizedLinear] = []
    whole = QuantizedLinear.expanded

    def note(layer: QuantizedLinear, dtype: torch.dtype) -> torch.Tensor:
        expanded.append(layer)
        return whole(layer, dtype)

    monkeypatch.setattr(QuantizedLinear, "expanded", note)
    plan = planned(1, 8, adapters__method="lora", quantization__method="nf4")
    model = tiny("llama")
    prepared = prepare(
        model, plan, CPU, torch.device("cpu"), module=model.build(torch.device("cpu"))
    )
    layers = [part for part in prepared.module.modules() if isinstance(part, QuantizedLinear)]
    assert layers
    assert expanded == []
    weight = layers[0].weight
    assert expanded == layers[:1]
    assert weight.count_nonzero() > weight.numel() // 2
