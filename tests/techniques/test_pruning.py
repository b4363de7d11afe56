"""Pruning of a model: which layers, what goes beside it, what is refused and said."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from memplanner.errors import PlanError
from memplanner.estimate.cutting import cuts, needs_all_blocks
from memplanner.plan import Plan
from memplanner.plan.pruning import Pruning as Section
from memplanner.techniques.prepare import check, prepare
from memplanner.techniques.sparsity.packed import PackedLinear
from tests.estimate.recordings import CPU, H100, META, planned, tiny
from tests.techniques.pruned_models import (
    ALL,
    BLOCKS,
    HEADS,
    LORA,
    REAL,
    SMALLER,
    WIDTH,
    plan_of,
    pruned,
)


def masked(module: nn.Module) -> set[str]:
    return {name for name, part in module.named_modules() if hasattr(part, "weight_mask")}


# Which layers


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({}, 42),
        ({"layers": "all"}, 43),
        ({"layers": "named", "target_modules": "q_proj, v_proj"}, 12),
        ({"layers": "named", "target_modules": "model.layers.[0-2].mlp.up_proj"}, 3),
    ],
)
def test_layers_are_chosen_as_the_plan_says(values: dict[str, Any], count: int) -> None:
    assert len(masked(pruned("llama", {"structure": "unstructured", **values}))) == count


def test_gpt2s_layers_keep_their_way_round() -> None:
    module = pruned("gpt2", {"structure": "n_m", "n": 1, "m": 4, "kept_as": "zeros"}, REAL)
    weight = module.get_submodule("transformer.h.0.mlp.c_fc").weight
    assert isinstance(weight, torch.Tensor)
    inputs_of_an_output = weight.t()
    assert set((inputs_of_an_output.reshape(-1, 4) != 0).sum(dim=1).tolist()) == {1}


@pytest.mark.parametrize("method", ["magnitude", "taylor", "wanda", "sparsegpt"])
@pytest.mark.parametrize("structure", ["unstructured", "n_m"])
def test_a_real_model_has_exactly_the_zeros_asked_for(method: str, structure: str) -> None:
    section = {"structure": structure, "method": method, "calibration_batches": 2}
    module = pruned("llama", section, REAL)
    for name in masked(module):
        mask = module.get_submodule(name).weight_mask
        assert isinstance(mask, torch.Tensor)
        assert int(mask.sum()) * 2 == mask.numel(), name
        assert torch_prune.is_pruned(module.get_submodule(name))


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "t5", "vit", "mixtral", "gemma3"])
@pytest.mark.parametrize(
    "section",
    [
        {"structure": "unstructured"},
        {"structure": "unstructured", "kept_as": "packed"},
        WIDTH,
        {**WIDTH, "method": "taylor"},
        BLOCKS,
    ],
    ids=str,
)
def test_weightless_and_real_models_become_alike(name: str, section: dict[str, Any]) -> None:
    others = LORA if section.get("kept_as") == "packed" else {}
    found = []
    for device in (META, REAL):
        module = pruned(name, section, device, **others)
        tensors = [*module.named_parameters(), *module.named_buffers()]
        found.append({n: (tuple(p.shape), p.dtype, p.requires_grad) for n, p in tensors})
    assert found[0] == found[1]


# Beside other sections


@pytest.mark.parametrize(
    "section",
    [
        {"structure": "unstructured", "kept_as": "zeros"},
        {"structure": "unstructured", "kept_as": "packed"},
        ALL,
    ],
    ids=str,
)
def test_adapters_go_on_top(section: dict[str, Any]) -> None:
    module = pruned("llama", section, REAL, **LORA)
    batch = tiny("llama").batch(2, 12, REAL)
    module(**batch)["loss"].backward()
    trained = [name for name, part in module.named_parameters() if part.grad is not None]
    assert trained
    assert all(".lora_" in name for name in trained)


def test_what_is_left_is_quantized() -> None:
    module: Any = pruned("llama", ALL, REAL, quantization__method="nf4", **LORA)
    layer = module.model.layers[0].mlp.up_proj.base_layer
    assert (type(layer).__name__, layer.out_features) == ("QuantizedLinear", 12)


def test_packed_layers_are_really_packed() -> None:
    module = pruned("llama", {"structure": "unstructured", "kept_as": "packed"}, REAL, **LORA)
    assert sum(isinstance(part, PackedLinear) for part in module.modules()) == 42


def test_every_second_block_that_is_left_is_recomputed() -> None:
    checkpointing = {"policy": "every_n", "every": 2}
    module: Any = pruned(
        "llama",
        BLOCKS,
        **{f"activation_checkpointing__{key}": value for key, value in checkpointing.items()},
    )
    wrapped = ["forward" in vars(block) for block in module.model.layers]
    assert wrapped == [True, False, True, False]


def test_single_blocks_are_not_folded() -> None:
    module = tiny("long llama").build(META)
    named = {"structure": "unstructured", "layers": "named", "target_modules": "layers.3.*"}
    for section, single in ((named, True), (BLOCKS, True), (WIDTH, False), ({}, False)):
        assert needs_all_blocks(plan_of(section)) is single
        assert bool(cuts(module, plan_of(section))) is not single


# What is refused


@pytest.mark.parametrize(
    ("section", "others", "words"),
    [
        ({"structure": "n_m", "n": 4, "m": 4}, {}, "choose n below m"),
        ({**WIDTH, "method": "sparsegpt"}, {}, "choose taylor, wanda or magnitude"),
        (SMALLER, {}, "set pruning.mlp_ratio, head_ratio or block_ratio"),
        (
            {"structure": "unstructured", "scope": "global", "method": "wanda"}, {},
            "choose per_layer, or magnitude",
        ),
        (
            {"structure": "unstructured", "scope": "global", "kept_as": "packed"}, LORA,
            "choose pruning.scope=per_layer or pruning.kept_as=zeros",
        ),
        (
            {"structure": "unstructured"}, {**LORA, "quantization__method": "nf4"},
            "choose pruning.kept_as=zeros or quantization.method=none",
        ),
        (
            {"structure": "unstructured", "kept_as": "packed"}, {},
            "choose adapters.method=lora or pruning.kept_as=masks",
        ),
    ],
)  # fmt: skip
def test_choices_that_contradict_each_other_are_refused(
    section: dict[str, Any], others: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError) as error:
        check(plan_of(section, **others), CPU)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "section", "words"),
    [
        ("gpt2", {"structure": "unstructured", "layers": "all"}, "layers=all_but_head or name"),
        (
            "gpt2",
            {"structure": "unstructured", "layers": "named", "target_modules": "lm_head"},
            "lm_head shares its weight with transformer.wte",
        ),
        (
            "llama",
            {"structure": "unstructured", "layers": "named", "target_modules": "no"},
            "is no linear layer of this model; its layers are down_proj",
        ),
        ("llama", {"structure": "unstructured", "layers": "named"}, "needs names"),
        ("llama", {"structure": "n_m", "n": 2, "m": 5}, "has 16 inputs, which pruning.m=5 does"),
        ("llama", {**HEADS, "head_ratio": 0.9}, "leaves none of 2 heads; choose at most 0.5"),
        ("llama", {**HEADS, "head_ratio": 0.1}, "takes none of 2 heads; choose 0, or at least 0.5"),
        ("llama", {**BLOCKS, "block_ratio": 0.99}, "leaves none of 6 blocks"),
        ("llama", {**WIDTH, "width_multiple": 64}, "in multiples of 64; choose a larger ratio"),
        ("mamba2", HEADS, "finds no heads that can be left out"),
        ("swin", {**WIDTH, "mlp_ratio": 0.3, "width_multiple": 1}, "cannot describe the pruned"),
        ("mixtral", {**WIDTH, "mlp_ratio": 0.25, "width_multiple": 1}, "width_multiple=4"),
        ("gemma3", {**BLOCKS, "block_choice": "influence"}, "choose deepest"),
    ],
)
def test_what_a_model_does_not_let_be_pruned_is_refused(
    name: str, section: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError) as error:
        pruned(name, section)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


# What a plan says


def test_the_default_changes_nothing() -> None:
    assert Plan().pruning.summary == "off"
    module = prepare(tiny("llama"), planned(), CPU, META).module
    assert not masked(module)


@pytest.mark.parametrize(
    ("section", "summary"),
    [
        (Section(structure="unstructured"), "50% as masks"),
        (Section(structure="n_m", kept_as="zeros"), "2:4 as zeros"),
        (Section(structure="structured", block_ratio=0.1), "MLP 25%, blocks 10%"),
    ],
)
def test_summaries(section: Section, summary: str) -> None:
    assert section.summary == summary


def test_notes_say_what_is_saved_on_the_target() -> None:
    def notes(section: dict[str, Any], target: Any = CPU, **others: Any) -> str:
        return " ".join(prepare(tiny("llama"), plan_of(section, **others), target, META).notes)

    assert "take more memory" in notes({"structure": "unstructured"})
    assert "save no memory" in notes({"structure": "unstructured", "kept_as": "zeros"})
    assert "saves memory now" in notes(WIDTH)
    assert "save memory now" in notes({"structure": "n_m", "kept_as": "packed"}, **LORA)
    assert "none on cpu" in notes({"structure": "n_m"})
    assert "CUDA" in notes({"structure": "n_m"}, H100)
    assert "2 of 4" not in notes({"structure": "n_m", "n": 1, "m": 4})
    assert "no mask to stay zero" in notes({"structure": "unstructured"}, **LORA)
