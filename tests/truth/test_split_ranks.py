"""Layers, sequences and experts split over ranks: predicted on one, measured on each (gloo)."""

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
    "mixtral": Case("mixtral", _plan(2, tensor=2)),
    "mixtral, experts, ZeRO-2": Case("mixtral", _plan(2, expert=2, data="zero_2")),
    "mixtral, experts, ZeRO-3": Case("mixtral", _plan(2, expert=2, data="zero_3")),
    "vit": Case("vit", _plan(2, tensor=2)),
    "llama, ZeRO-2 on four": Case("llama", _plan(4, tensor=2, data="zero_2")),
    "llama, ZeRO-3 on four": Case("llama", _plan(4, tensor=2, data="zero_3")),
    "vit, ZeRO-2 on four": Case("vit", _plan(4, tensor=2, data="zero_2")),
    "mixtral, experts, ZeRO-2 on four": Case("mixtral", _plan(4, expert=2, data="zero_2")),
    "mixtral, tensor and experts, ZeRO-2": Case(
        "mixtral", _plan(4, tensor=2, expert=2, data="zero_2")
    ),
}


@pytest.fixture(scope="module")
def measured() -> dict[str, list[Rank]]:
    """Every case's ranks; cases of one number of ranks share their processes."""
    found = {}
    for ranks in sorted({case.plan.sharding.ranks for case in CASES.values()}):
        names = [name for name, case in CASES.items() if case.plan.sharding.ranks == ranks]
        found.update(zip(names, measure_ranks([CASES[name] for name in names]), strict=True))
    return found


def _predict(folder: Path) -> dict[str, int]:
    """The peak of each case's first rank, of models that are opened as a user would."""
    models = {}
    for name, small in MODELS.items():
        config = small.config()
        config.architectures = [small.class_name]
        config.save_pretrained(folder / name)
        models[name] = mp.load(str(folder / name))
    found = {}
    for name, case in CASES.items():
        tape, _ = recorder(models[case.model]).tape(case.plan, Target(rank=0))
        found[name] = int(tape.without_scratch().curve_bytes.max())
    return found


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Predictions, from a process of their own: DTensor keeps more of one world than it forgets."""
    folder = tmp_path_factory.mktemp("models")
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(_predict, folder).result()


@pytest.mark.parametrize("name", CASES)
def test_every_rank_takes_what_was_predicted(
    name: str, measured: dict[str, list[Rank]], predicted: dict[str, int]
) -> None:
    peaks_bytes = [rank.peak_bytes for rank in measured[name]]
    # the first of a group has the most, where a dimension does not divide
    assert predicted[name] == peaks_bytes[0] == max(peaks_bytes)
