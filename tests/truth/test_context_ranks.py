"""Sequences split over ranks: predicted on each, measured on each (gloo)."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import memplanner as mp
from memplanner.estimate import recorder
from memplanner.plan import Plan
from memplanner.techniques.target import Target
from tests.truth.rank_models import MODELS
from tests.truth.real_ranks import Case, Rank, measure_ranks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # processes of four ranks start slowly


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


@pytest.fixture(scope="module")
def measured() -> dict[str, list[Rank]]:
    """Every case's ranks; cases of one number of ranks share their processes."""
    found = {}
    for ranks in sorted({case.plan.sharding.ranks for case in CASES.values()}):
        names = [name for name, case in CASES.items() if case.plan.sharding.ranks == ranks]
        found.update(zip(names, measure_ranks([CASES[name] for name in names]), strict=True))
    return found


def _predict(folder: Path) -> dict[str, list[int]]:
    """The peak of each case's ranks, of a model that is opened as a user would."""
    small = MODELS["llama"]
    config = small.config()
    config.architectures = [small.class_name]
    config.save_pretrained(folder)
    model = mp.load(str(folder))
    return {
        name: [
            int(
                recorder(model)
                .tape(case.plan, Target(rank=rank))[0]
                .without_scratch()
                .curve_bytes.max()
            )
            for rank in range(case.plan.sharding.ranks)
        ]
        for name, case in CASES.items()
    }


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Predictions, from a process of their own: DTensor keeps more of one world than it forgets."""
    folder = tmp_path_factory.mktemp("model")
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(_predict, folder).result()


@pytest.mark.parametrize("name", CASES)
def test_every_rank_takes_what_was_predicted(
    name: str, measured: dict[str, list[Rank]], predicted: dict[str, list[int]]
) -> None:
    assert predicted[name] == [rank.peak_bytes for rank in measured[name]]
