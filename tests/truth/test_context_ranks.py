"""Sequences split over ranks: predicted on each, measured on each (gloo)."""

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


def _case(cards: int, *, precision: str = "fp32", policy: str = "none", **sharding: Any) -> Case:
    plan = Plan.parse(
        {
            "precision": precision,
            "training": {"batch_size": 4, "sequence_length": 128, "outputs": "until_loss"},
            "optimizer": {"implementation": "for_loop"},
            "activation_checkpointing": {"policy": policy},
            "sharding": {"cards_per_node": cards, **sharding},
        }
    )
    return Case("llama", plan)


CASES = {
    "DDP": _case(2, context=2),
    "DDP, one after the other": _case(2, context=2, context_rotation="all_to_all"),
    "DDP, bf16": _case(2, context=2, precision="bf16"),
    "ZeRO-2": _case(2, context=2, data="zero_2"),
    "ZeRO-2, checkpointing": _case(2, context=2, data="zero_2", policy="full"),
    "ZeRO-2 on four": _case(4, context=2, data="zero_2"),
    "ZeRO-2, two copies": _case(4, context=2, data="zero_2", replicas=2),
    "ZeRO-2, context of four": _case(4, context=4, data="zero_2"),
    "ZeRO-2, context of four, one after the other": _case(
        4, context=4, data="zero_2", context_rotation="all_to_all"
    ),
    "ZeRO-2, tensor": _case(4, context=2, tensor=2, data="zero_2"),
}


def _predict(folder: Path, case: Case) -> list[int]:
    """The peak of each rank, of a model that is opened as a user would."""
    small = MODELS[case.model]
    config = small.config()
    config.architectures = [small.class_name]
    config.save_pretrained(folder)
    model, peaks_bytes = mp.load(str(folder)), []
    for rank in range(case.plan.sharding.ranks):
        tape, _ = recorder(model).tape(case.plan, Target(rank=rank))
        peaks_bytes.append(int(tape.without_scratch().curve_bytes.max()))
    return peaks_bytes


@pytest.mark.parametrize("name", CASES)
def test_every_rank_takes_what_was_predicted(name: str, tmp_path: Path) -> None:
    # DTensor keeps more of one world than it forgets
    predicted = apart(_predict, tmp_path, CASES[name])
    measured = measure_ranks(CASES[name], predicted)
    assert predicted == [rank.peak_bytes for rank in measured]
