"""Layers, sequences and experts split over ranks: predicted on one, measured on each (gloo)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import memplanner as mp
from memplanner.estimate import recorder
from memplanner.plan import Plan
from memplanner.techniques.target import Target
from tests.forked import apart
from tests.truth.rank_models import MODELS
from tests.truth.real_ranks import Case, measure_ranks

pytestmark = pytest.mark.slow


def _plan(cards: int, *, policy: str = "none", micro_batches: int = 1, **sharding: Any) -> Plan:
    return Plan.parse(
        {
            "precision": "fp32",
            "training": {
                "batch_size": 8,  # enough for activations to decide
                "sequence_length": 64,
                "outputs": "until_loss",
                "gradient_accumulation_steps": micro_batches,
            },
            "optimizer": {"implementation": "for_loop"},
            "activation_checkpointing": {"policy": policy},
            "sharding": {"cards_per_node": cards, **sharding},
        }
    )


CASES = {
    "llama": Case("llama", _plan(2, tensor=2)),
    "llama, checkpointing": Case("llama", _plan(2, tensor=2, policy="full")),
    "llama, 3 micro-batches": Case("llama", _plan(2, tensor=2, micro_batches=3)),
    "llama, parts of the sequence": Case("llama", _plan(2, tensor=2, sequence_parallel=True)),
    "llama, parts of the sequence, checkpointing": Case(
        "llama", _plan(2, tensor=2, sequence_parallel=True, policy="full")
    ),
    "mixtral": Case("mixtral", _plan(2, tensor=2)),
    "mixtral, experts, ZeRO-2": Case("mixtral", _plan(2, expert=2, data="zero_2")),
    "mixtral, experts, ZeRO-3": Case("mixtral", _plan(2, expert=2, data="zero_3")),
    "vit": Case("vit", _plan(2, tensor=2)),
    "llama, parts of the logits": Case("llama", _plan(2, tensor=2, loss_parallel=True)),
    "llama, ZeRO-1 on four": Case("llama", _plan(4, tensor=2, data="zero_1")),
    "vit, DDP on four": Case("vit", _plan(4, tensor=2)),
    "llama, DDP, parts of the sequence and of the logits": Case(
        "llama", _plan(4, tensor=2, sequence_parallel=True, loss_parallel=True, bucket_view=True)
    ),
    "llama, parts of the logits, ZeRO-3, 3 micro-batches": Case(
        "llama", _plan(4, tensor=2, loss_parallel=True, data="zero_3", micro_batches=3)
    ),
    "llama, ZeRO-2 on four": Case("llama", _plan(4, tensor=2, data="zero_2")),
    "llama, ZeRO-3 on four": Case("llama", _plan(4, tensor=2, data="zero_3")),
    "vit, ZeRO-2 on four": Case("vit", _plan(4, tensor=2, data="zero_2")),
    "mixtral, experts, ZeRO-2 on four": Case("mixtral", _plan(4, expert=2, data="zero_2")),
    "mixtral, tensor and experts, ZeRO-2": Case(
        "mixtral", _plan(4, tensor=2, expert=2, data="zero_2")
    ),
}


def _predict(folder: Path, case: Case) -> int:
    """The peak of the first rank, of a model that is opened as a user would."""
    small = MODELS[case.model]
    config = small.config()
    config.architectures = [small.class_name]
    config.save_pretrained(folder)
    model = mp.load(str(folder))
    tape, _ = recorder(model).tape(case.plan, Target(rank=0))
    return int(tape.without_scratch().curve_bytes.max())


@pytest.mark.parametrize("name", CASES)
def test_every_rank_takes_what_was_predicted(name: str, tmp_path: Path) -> None:
    # DTensor keeps more of one world than it forgets
    predicted = apart(_predict, tmp_path, CASES[name])
    expected_bytes = [predicted] * CASES[name].plan.sharding.ranks
    peaks_bytes = [rank.peak_bytes for rank in measure_ranks(CASES[name], expected_bytes)]
    # the first of a group has the most, where a dimension does not divide
    assert predicted == peaks_bytes[0] == max(peaks_bytes)
