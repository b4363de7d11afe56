"""Stages of a pipeline: how blocks are dealt out, what is refused, what a stage computes."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.estimate.recorder import recorder
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel import pipeline_micro_batches
from memplanner.techniques.parallel.pipeline_anatomy import anatomy
from memplanner.techniques.parallel.pipeline_parts import deal_blocks
from memplanner.techniques.parallel.rank_stages import cut_for_rank, parts_for
from memplanner.techniques.parallel.stages import Received
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target

CPU = torch.device("cpu")
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 96,
    "max_position_embeddings": 64,
}
_GROUPED = {**_TEXT, "num_key_value_heads": 2}
CONFIGS: dict[str, tuple[Any, str]] = {
    "llama": (lambda: transformers.LlamaConfig(**_GROUPED), "LlamaForCausalLM"),
    "tied llama": (
        lambda: transformers.LlamaConfig(**_GROUPED, tie_word_embeddings=True),
        "LlamaForCausalLM",
    ),
    "mixtral": (
        lambda: transformers.MixtralConfig(**_GROUPED, num_local_experts=4),
        "MixtralForCausalLM",
    ),
    "qwen3": (lambda: transformers.Qwen3Config(**_GROUPED, head_dim=8), "Qwen3ForCausalLM"),
    "gemma2": (
        lambda: transformers.Gemma2Config(**_GROUPED, head_dim=8, sliding_window=8),
        "Gemma2ForCausalLM",
    ),
    "gpt2": (
        lambda: transformers.GPT2Config(
            n_embd=32, n_layer=4, n_head=4, n_positions=64, vocab_size=96
        ),
        "GPT2LMHeadModel",
    ),
    "opt": (
        lambda: transformers.OPTConfig(
            hidden_size=32, ffn_dim=64, num_hidden_layers=4, num_attention_heads=4, vocab_size=96,
            max_position_embeddings=64, word_embed_proj_dim=32,
        ),
        "OPTForCausalLM",
    ),
    "bert": (lambda: transformers.BertConfig(**_TEXT), "BertForSequenceClassification"),
    "vit": (
        lambda: transformers.ViTConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
            image_size=16, patch_size=8, num_labels=3,
        ),
        "ViTForImageClassification",
    ),
}  # fmt: skip


def _model(name: str, folder: Path) -> Model:
    make, class_name = CONFIGS[name]
    config = make()
    config.architectures = [class_name]
    config.save_pretrained(folder)
    return mp.load(str(folder))


def _plan(micro_batches: int = 4, cards: int = 2, **sharding: Any) -> Plan:
    return Plan.parse(
        {
            "training": {
                "batch_size": 2,
                "sequence_length": 16,
                "gradient_accumulation_steps": micro_batches,
            },
            "sharding": {"cards_per_node": cards, "pipeline": cards, **sharding},
        }
    )


# How blocks are dealt out


@given(
    st.lists(st.integers(1, 50), min_size=2, max_size=7),
    st.integers(0, 99),
    st.integers(0, 99),
    st.data(),
)
def test_no_other_deal_has_a_smaller_largest_stage(
    blocks: list[int], before: int, after: int, data: st.DataObject
) -> None:
    stages = data.draw(st.integers(2, len(blocks)))
    section = Sharding(cards_per_node=stages, pipeline=stages)
    parts = deal_blocks(blocks, before, after, section)
    weights = [before + blocks[0], *blocks[1:]]
    weights[-1] += after
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert (parts[0].start, parts[-1].stop, len(parts)) == (0, len(blocks), stages)
    edges = [
        (0, *middle, len(blocks)) for middle in combinations(range(1, len(blocks)), stages - 1)
    ]
    best = min(max(sum(weights[a:b]) for a, b in pairwise(edge)) for edge in edges)
    assert max(sum(weights[part.start : part.stop]) for part in parts) == best


def test_earlier_stages_get_fewer_of_equal_blocks() -> None:
    parts = deal_blocks([5] * 6, 0, 0, Sharding(cards_per_node=4, pipeline=4))
    assert [part.stop - part.start for part in parts] == [1, 1, 2, 2]


def test_more_stages_than_blocks_are_refused_with_the_nearest() -> None:
    with pytest.raises(PlanError, match=r"8 stages .* has 4; choose sharding.pipeline=4\."):
        deal_blocks([1] * 4, 0, 0, Sharding(cards_per_node=8, pipeline=8))
    looped = Sharding(cards_per_node=4, pipeline=4, schedule="interleaved_1f1b", stages_per_card=2)
    with pytest.raises(PlanError, match=r"choose sharding.pipeline=3 or sharding.schedule=1f1b"):
        deal_blocks([1] * 6, 0, 0, looped)


def test_blocks_by_hand_must_be_all_of_them() -> None:
    section = Sharding(cards_per_node=2, pipeline=2, stage_blocks=(1, 2))
    with pytest.raises(PlanError, match=r"stage_blocks=1,2 .* model's 4 blocks.*choose 2,2\."):
        deal_blocks([1] * 4, 0, 0, section)


@pytest.mark.parametrize(
    ("schedule", "micro_batches", "nearest"),
    [("1f1b", 3, "4"), ("interleaved_1f1b", 9, "8 or 10"), ("zero_bubble", 11, "10 or 12")],
)
def test_unsuited_numbers_of_micro_batches_are_refused_with_the_nearest(
    schedule: str, micro_batches: int, nearest: str
) -> None:
    with pytest.raises(PlanError, match=rf"steps={nearest}\."):
        check(_plan(micro_batches, 4, schedule=schedule), Target())


@pytest.mark.parametrize(
    ("changes", "choose"),
    [
        ({"precision": "fp16_mixed"}, "bf16_mixed"),
        ({"activation_checkpointing": {"policy": "budget"}}, "policy=full"),
        ({"pruning": {"structure": "structured"}}, "unstructured"),
    ],
)
def test_what_needs_the_whole_model_is_refused(changes: dict[str, Any], choose: str) -> None:
    plan = Plan.parse({**_plan().model_dump(mode="json"), **changes})
    with pytest.raises(PlanError, match=choose):
        check(plan, Target())


# What a stage is


@pytest.mark.parametrize("name", CONFIGS)
def test_stages_one_after_another_compute_the_models_loss(name: str, tmp_path: Path) -> None:
    model = _model(name, tmp_path)
    torch.manual_seed(0)
    whole = model.build(CPU).eval()
    batch = model.batch(2, 16, CPU)
    expected = model.loss(whole(**batch))
    section = Sharding(cards_per_node=3, pipeline=3)
    found, given = anatomy(model), None
    for rank in range(3):
        torch.manual_seed(0)
        stages = cut_for_rank(model.build(CPU).eval(), model, section, rank)
        (stage,), (part,) = stages.stages, stages.parts
        own = found.inputs_of(batch, first=part.is_first, last=part.is_last)
        if given is not None:
            for each in stage.modules():
                if isinstance(each, Received):
                    each.told(given)
            assert given.shape == found.hidden_shape(batch)
            own[found.handed_as] = given
        given = stage(**own)
    assert torch.equal(model.loss(given), expected)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("schedule", ["1f1b", "interleaved_1f1b"])
def test_the_ranks_have_every_weight_once_under_its_name(
    name: str, schedule: str, tmp_path: Path
) -> None:
    model = _model(name, tmp_path)
    section = Sharding(cards_per_node=2, pipeline=2, schedule=schedule)
    whole = model.build(torch.device("meta"))
    names: list[str] = []
    for rank in range(2):
        stages = cut_for_rank(model.build(torch.device("meta")), model, section, rank)
        names += [path for path, _ in stages.named_parameters()]
        assert stages.get_submodule(anatomy(model).blocks + f".{stages.parts[-1].start}")
    tied = anatomy(model).tied
    expected = {path for path, _ in whole.named_parameters()} | ({tied[1]} if tied else set())
    assert sorted(names) == sorted(expected)


def test_a_stage_is_folded_and_its_blocks_keep_their_numbers(tmp_path: Path) -> None:
    config = transformers.LlamaConfig(**{**_GROUPED, "num_hidden_layers": 16})
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(tmp_path)
    model = mp.load(str(tmp_path))
    for schedule in ("1f1b", "interleaved_1f1b"):
        plan = _plan(schedule=schedule, stage_blocks=(8, 8) if schedule == "1f1b" else (1, 7, 7, 1))
        for rank in range(2):
            tape, how = recorder(model).tape(plan, Target(rank=rank))
            assert "folded" in how
            numbers = {name.split(".")[2] for name in tape.module_names if ".layers." in name}
            parts = parts_for(model, plan.sharding, rank)
            assert numbers == {str(n) for part in parts for n in range(part.start, part.stop)}
            assert tape.numel.sum() == sum(
                weight.numel()
                for _, weight in cut_for_rank(
                    model.build(torch.device("meta")), model, plan.sharding, rank
                ).named_parameters()
            )


@pytest.mark.parametrize(
    ("schedule", "micro_batches"),
    [("1f1b", 9), ("interleaved_1f1b", 12), ("interleaved_1f1b", 15), ("zero_bubble", 12)],
)
def test_few_micro_batches_show_the_peak_of_all(
    schedule: str, micro_batches: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan(micro_batches, 3, schedule=schedule, stages_per_card=2)
    config = transformers.LlamaConfig(**{**_GROUPED, "num_hidden_layers": 6})
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(tmp_path)
    peaks = []
    run = pipeline_micro_batches.enough(plan.sharding, micro_batches)
    assert run < micro_batches
    for enough in (pipeline_micro_batches.enough, lambda section, count: count):
        monkeypatch.setattr(pipeline_micro_batches, "enough", enough)
        model = mp.load(str(tmp_path))
        tapes = [recorder(model).tape(plan, Target(rank=rank))[0] for rank in range(3)]
        peaks.append([int(tape.without_scratch().curve_bytes.max()) for tape in tapes])
    assert peaks[0] == peaks[1]


# What cannot be cut


def test_a_model_that_is_more_than_one_chain_is_refused(tmp_path: Path) -> None:
    config = transformers.T5Config(
        d_model=32, d_ff=64, d_kv=8, num_layers=4, num_heads=4, vocab_size=96
    )
    config.architectures = ["T5ForConditionalGeneration"]
    config.save_pretrained(tmp_path)
    with pytest.raises(PlanError, match="cannot be cut into stages: only decoders and encoders"):
        anatomy(mp.load(str(tmp_path)))
