from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from memplanner.model import load
from memplanner.model.blocks import BlockList, Run, block_lists, find_runs
from tests.model.small_models import META, SMALL, small_module

DEEP = {**SMALL, "num_hidden_layers": 6}


def only(module: nn.Module) -> BlockList:
    (found,) = block_lists(module)
    return found


def test_equal_layers_are_one_run() -> None:
    assert only(small_module("LlamaForCausalLM", **DEEP)) == BlockList(
        "model.layers", 6, (Run(0, 1, 6),)
    )


def test_gpt2_and_bert_and_vit_have_one_list_each() -> None:
    gpt2 = small_module("GPT2LMHeadModel", n_embd=32, n_layer=5, n_head=4, vocab_size=99)
    vit = small_module("ViTForImageClassification", **DEEP, image_size=32, patch_size=8)

    assert only(gpt2) == BlockList("transformer.h", 5, (Run(0, 1, 5),))
    assert only(small_module("BertForMaskedLM", **DEEP)).runs == (Run(0, 1, 6),)
    assert only(vit).runs == (Run(0, 1, 6),)


def test_alternating_attention_repeats_with_its_period() -> None:
    heads = {"head_dim": 8, "num_key_value_heads": 2}
    gemma2 = small_module("Gemma2ForCausalLM", **DEEP, **heads)
    gemma3 = small_module("Gemma3ForCausalLM", **{**SMALL, "num_hidden_layers": 15}, **heads)

    assert only(gemma2).runs == (Run(0, 2, 3),)
    assert only(gemma3).runs == (Run(0, 6, 2), Run(12, 1, 3))


def test_experts_do_not_hide_the_layers() -> None:
    mixtral = small_module("MixtralForCausalLM", **DEEP, num_local_experts=4)
    assert only(mixtral) == BlockList("model.layers", 6, (Run(0, 1, 6),))


def test_dense_layers_before_expert_layers_are_a_run_of_their_own() -> None:
    module = small_module(
        "DeepseekV3ForCausalLM", **{**SMALL, "num_hidden_layers": 7}, n_routed_experts=8,
        first_k_dense_replace=3, moe_intermediate_size=16, n_group=1, topk_group=1,
    )  # fmt: skip
    assert only(module).runs == (Run(0, 1, 3), Run(3, 1, 4))


def test_the_first_block_of_t5_differs_by_its_position_bias() -> None:
    module = small_module(
        "T5ForConditionalGeneration", d_model=32, d_kv=8, d_ff=48, num_layers=5, num_heads=4,
        vocab_size=99,
    )  # fmt: skip
    assert block_lists(module) == (
        BlockList("encoder.block", 5, (Run(1, 1, 4),)),
        BlockList("decoder.block", 5, (Run(1, 1, 4),)),
    )


def test_stages_that_differ_are_looked_into() -> None:
    resnet = small_module(
        "ResNetForImageClassification", embedding_size=8, hidden_sizes=[16, 32], depths=[3, 4]
    )
    swin = small_module(
        "SwinForImageClassification", image_size=64, patch_size=4, embed_dim=8, depths=[2, 6],
        num_heads=[2, 2], window_size=4,
    )  # fmt: skip

    assert [(found.path, found.runs) for found in block_lists(resnet)] == [
        ("resnet.encoder.stages.0.layers", (Run(1, 1, 2),)),
        ("resnet.encoder.stages.1.layers", (Run(1, 1, 3),)),
    ]
    # Shifted windows alternate; drop path grows along the depth and changes no size.
    assert only(swin) == BlockList("swin.encoder.layers.1.blocks", 6, (Run(0, 2, 3),))


def test_a_setting_that_differs_ends_a_run() -> None:
    module = small_module("LlamaForCausalLM", **DEEP)
    for layer in list(module.get_submodule("model.layers").children())[::2]:
        layer.gradient_checkpointing = True

    assert only(module).runs == (Run(0, 2, 3),)


def test_a_frozen_block_differs_from_a_trained_one() -> None:
    module = small_module("LlamaForCausalLM", **DEEP)
    module.get_submodule("model.layers.0").requires_grad_(False)

    assert only(module).runs == (Run(1, 1, 5),)


def test_adapters_that_know_where_they_are_leave_blocks_equal() -> None:
    from peft import LoraConfig, inject_adapter_in_model

    module = small_module("LlamaForCausalLM", **DEEP)
    inject_adapter_in_model(LoraConfig(target_modules=["q_proj", "down_proj"]), module)
    assert only(module).runs == (Run(0, 1, 6),)


def test_blocks_that_share_a_parameter_are_no_run() -> None:
    block = nn.Linear(4, 4)
    twin = nn.Linear(4, 4)
    twin.weight = block.weight

    assert block_lists(nn.Sequential(block, block, block)) == ()
    assert block_lists(nn.ModuleList([block, twin])) == ()


def test_a_growing_size_is_no_index() -> None:
    blocks = nn.Sequential(*(nn.Conv1d(4, 4, 3, dilation=1 + index) for index in range(4)))
    assert block_lists(blocks) == ()


def test_strided_blocks_are_no_run_since_each_gets_less() -> None:
    assert block_lists(nn.Sequential(*(nn.Conv1d(4, 4, 3, stride=2) for _ in range(4)))) == ()


def test_blocks_between_activations_repeat_together() -> None:
    layers = [layer for _ in range(3) for layer in (nn.Linear(4, 4), nn.ReLU())]
    assert only(nn.Sequential(*layers)) == BlockList("", 6, (Run(0, 2, 3),))
    assert block_lists(nn.Sequential(nn.ReLU(), nn.ReLU())) == ()


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_runs_lie_apart_and_repeat(values: list[str]) -> None:
    runs = find_runs(values)
    for run in runs:
        period = values[run.start : run.start + run.period]
        assert run.count >= 2
        assert values[run.start : run.stop] == period * run.count
    for first, second in pairwise(runs):
        assert first.stop <= second.start


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=6), st.integers(2, 5))
def test_a_pure_repetition_is_covered_whole(period: list[str], count: int) -> None:
    runs = find_runs(period * count)
    assert len(runs) == 1
    assert (runs[0].start, runs[0].stop) == (0, len(period) * count)


@pytest.mark.slow
def test_126_blocks_of_405b_are_one_run_and_stay_weightless() -> None:
    module = load("preset:llama-3.1-405b").build(META)
    assert block_lists(module)[0].runs == (Run(0, 1, 126),)
    assert torch.device("meta") == next(module.parameters()).device
