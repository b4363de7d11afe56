"""Sharded steps: predicted on one weightless rank, measured on CPU ranks of gloo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import memplanner as mp
from memplanner.estimate import recorder
from memplanner.estimate.recorder import Recorder
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.rank_groups import dealt_out, rank_groups
from memplanner.techniques.target import Target
from tests.truth.rank_models import MODELS
from tests.truth.real_ranks import Case, measure_ranks

pytestmark = pytest.mark.slow


def _plan(cards: int, *, precision: str = "fp32", **changes: Any) -> Plan:
    training = {
        "batch_size": 2,
        "sequence_length": 16,
        "outputs": "until_loss",
        "gradient_accumulation_steps": changes.pop("micro_batches", 1),
    }
    return Plan.parse(
        {
            "precision": precision,
            "training": training,
            "optimizer": {"implementation": "for_loop"},
            "activation_checkpointing": {"policy": changes.pop("policy", "none")},
            "adapters": changes.pop("adapters", {}),
            "sharding": {"cards_per_node": cards, **changes},
        }
    )


def _pipeline(cards: int, **changes: Any) -> Plan:
    return _plan(cards, **{"micro_batches": 4, "pipeline": 2, **changes})


_HALVES, _LOOPED = {"stage_blocks": (2, 4)}, {"stage_blocks": (1, 2, 2, 1)}
PIPELINES = {
    "llama, GPipe": Case("llama", _pipeline(2, schedule="gpipe", **_HALVES)),
    "llama, 1F1B": Case("llama", _pipeline(2, **_HALVES)),
    "llama, 1F1B, 9 micro-batches": Case("llama", _pipeline(2, micro_batches=9, **_HALVES)),
    "llama, 1F1B, bf16 mixed": Case("llama", _pipeline(2, precision="bf16_mixed", **_HALVES)),
    "llama, 1F1B, checkpointing": Case("llama", _pipeline(2, policy="full", **_HALVES)),
    "llama, interleaved": Case(
        "llama", _pipeline(2, schedule="interleaved_1f1b", micro_batches=12, **_LOOPED)
    ),
    "llama, zero bubble": Case(
        "llama", _pipeline(2, schedule="zero_bubble", micro_batches=12, **_LOOPED)
    ),
    "mixtral, 1F1B": Case("mixtral", _pipeline(2, stage_blocks=(2, 2))),
    "mixtral, interleaved": Case(
        "mixtral", _pipeline(2, schedule="interleaved_1f1b", stage_blocks=(1, 1, 1, 1))
    ),
    "vit, GPipe": Case("vit", _pipeline(2, schedule="gpipe", **_HALVES)),
    "vit, 1F1B": Case("vit", _pipeline(2, **_HALVES)),
    "vit, zero bubble": Case("vit", _pipeline(2, schedule="zero_bubble", **_LOOPED)),
    "llama, 1F1B of DDP": Case("llama", _pipeline(4, **_HALVES)),
    "llama, interleaved of DDP": Case(
        "llama", _pipeline(4, schedule="interleaved_1f1b", **_LOOPED)
    ),
    "llama, 1F1B of ZeRO-2": Case("llama", _pipeline(4, data="zero_2", **_HALVES)),
    "llama, 1F1B of ZeRO-2, bf16 mixed": Case(
        "llama", _pipeline(4, data="zero_2", precision="bf16_mixed", **_HALVES)
    ),
    "llama, zero bubble of ZeRO-2": Case(
        "llama", _pipeline(4, data="zero_2", schedule="zero_bubble", **_LOOPED)
    ),
    "llama, 1F1B of ZeRO-3": Case("llama", _pipeline(4, data="zero_3", **_HALVES)),
    "vit, GPipe of ZeRO-3": Case("vit", _pipeline(4, data="zero_3", schedule="gpipe", **_HALVES)),
    "llama, 1F1B over four, 12 micro-batches": Case(
        "llama", _pipeline(4, pipeline=4, micro_batches=12, **_LOOPED)
    ),
}
_LORA = {"method": "lora", "rank": 4, "target_modules": ["q_proj", "v_proj"]}
CASES = {
    "llama, DDP": Case("llama", _plan(2)),
    "llama, DDP, gradients in buckets": Case("llama", _plan(2, bucket_view=True)),
    "llama, DDP, small buckets": Case("llama", _plan(2, bucket_mib=1, static_graph=True)),
    "llama, DDP, 3 micro-batches, reduced once": Case(
        "llama", _plan(2, micro_batches=3, reduction="last_micro_batch")
    ),
    "llama, DDP, bf16 mixed": Case("llama", _plan(2, precision="bf16_mixed")),
    "llama, ZeRO-1": Case("llama", _plan(2, data="zero_1")),
    "llama, ZeRO-2": Case("llama", _plan(2, data="zero_2")),
    "llama, ZeRO-2, bf16 mixed": Case("llama", _plan(2, data="zero_2", precision="bf16_mixed")),
    "llama, ZeRO-3": Case("llama", _plan(2, data="zero_3")),
    "llama, ZeRO-3, checkpointing": Case("llama", _plan(2, data="zero_3", policy="full")),
    "llama, ZeRO-3, bf16": Case("llama", _plan(2, data="zero_3", precision="bf16")),
    "llama, ZeRO-3, bf16 mixed": Case("llama", _plan(2, data="zero_3", precision="bf16_mixed")),
    "llama, ZeRO-3, 3 micro-batches": Case("llama", _plan(2, data="zero_3", micro_batches=3)),
    "llama, ZeRO-3, reduced once": Case(
        "llama", _plan(2, data="zero_3", micro_batches=3, reduction="last_micro_batch")
    ),
    "llama, ZeRO-2, LoRA": Case("llama", _plan(2, data="zero_2", adapters=_LORA)),
    "llama, ZeRO-3, LoRA": Case("llama", _plan(2, data="zero_3", adapters=_LORA)),
    "mixtral, DDP": Case("mixtral", _plan(2)),
    "mixtral, ZeRO-3": Case("mixtral", _plan(2, data="zero_3")),
    "vit, DDP": Case("vit", _plan(2)),
    "vit, ZeRO-1": Case("vit", _plan(2, data="zero_1")),
    "vit, ZeRO-2": Case("vit", _plan(2, data="zero_2")),
    "vit, ZeRO-3": Case("vit", _plan(2, data="zero_3")),
    "llama, ZeRO-3 on four": Case("llama", _plan(4, data="zero_3")),
    "llama, two replicas of ZeRO-3 on two": Case("llama", _plan(4, data="zero_3", replicas=2)),
    "llama, ZeRO-1 on four": Case("llama", _plan(4, data="zero_1")),
    **PIPELINES,
}


@pytest.fixture(scope="module")
def recorders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recorder]:
    """A recorder of each small model, opened from its folder as a user would."""
    folder: Path = tmp_path_factory.mktemp("models")
    found = {}
    for name, small in MODELS.items():
        config = small.config()
        config.architectures = [small.class_name]
        config.save_pretrained(folder / name)
        model = mp.load(str(folder / name))
        _MODELS.append(model)
        found[name] = recorder(model)
    return found


_MODELS: list[Any] = []
"""What the recorders look at; they do not keep it."""


def _sizes(model: str) -> tuple[int, ...]:
    """Elements of each parameter, in order."""
    return tuple(weight.numel() for weight in MODELS[model].build().parameters())


def test_whole_parameters_are_dealt_out_as_torch_does() -> None:
    sizes = _sizes("llama")
    alone = Sharding(cards_per_node=4, data="zero_1")
    assert sum(dealt_out(sizes, 4)) == sum(sizes)
    assert rank_groups(alone, (5, 3, 3, 3, 1, 1, 1, 1))[0].first == 0
    assert rank_groups(alone, (4, 4, 4, 4, 1))[0].first == 0
    assert rank_groups(alone, (8, 6, 6, 6, 4))[0].first == 1


@pytest.mark.parametrize("name", CASES)
def test_every_rank_takes_what_was_predicted(name: str, recorders: dict[str, Recorder]) -> None:
    case, section = CASES[name], CASES[name].plan.sharding
    groups, predicted = rank_groups(section, _sizes(case.model)), []
    for group in groups:
        tape, _ = recorders[case.model].tape(case.plan, Target(rank=group.first))
        predicted += [int(tape.without_scratch().curve_bytes.max())] * group.count
    measured = [rank.peak_bytes for rank in measure_ranks(case, predicted)]
    for group in groups:
        start = group.stage * group.count
        highest = max(measured[start : start + group.count])
        assert predicted[start] == measured[group.first] == highest
