"""Pruning of a model: which layers and structures, what is refused, what is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from memplanner.errors import PlanError
from memplanner.estimate import estimate
from memplanner.estimate.cutting import cuts, names_single_blocks
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.pruning import Pruning as Section
from memplanner.techniques.prepare import check, prepare
from memplanner.techniques.sparsity import heads, widths
from memplanner.techniques.sparsity.packed import PackedLinear
from tests.estimate.recordings import CPU, H100, META, planned, recipe, tiny

REAL = torch.device("cpu")
LORA = {"adapters__method": "lora", "adapters__rank": 4}
SMALLER = {"structure": "structured", "width_multiple": 4, "mlp_ratio": 0.0}
WIDTH, HEADS = {**SMALLER, "mlp_ratio": 0.5}, {**SMALLER, "head_ratio": 0.5}
BLOCKS = {**SMALLER, "block_ratio": 0.4}
ALL = {**WIDTH, "head_ratio": 0.5, "block_ratio": 0.4}


def plan_of(section: dict[str, Any], **others: Any) -> Plan:
    return planned(2, 12, **{f"pruning__{key}": value for key, value in section.items()}, **others)


def pruned(
    name: str, section: dict[str, Any], device: torch.device = META, **others: Any
) -> nn.Module:
    return prepare(tiny(name), plan_of(section, **others), CPU, device).module


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


# What is left of a smaller model


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
        assert names_single_blocks(plan_of(section)) is single
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
        ("gpt2", HEADS, "finds no heads that can be left out"),
        ("swin", WIDTH, "cannot describe the pruned model"),
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
