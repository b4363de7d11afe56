"""Figures made of parts are the full estimate's, to the byte; time is the same to rounding."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from memplanner.errors import MemplannerError
from memplanner.estimate import estimate, recorder
from memplanner.hardware import find_device
from memplanner.messages.search import SearchGoal
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.search.evaluation import Evaluation
from memplanner.search.figures import Figures
from memplanner.search.space import Space
from memplanner.techniques.target import Target
from tests.estimate.recordings import recorded_whole

PLAN = Plan.parse({"training": {"batch_size": 2, "sequence_length": 64}})
CASES = [
    ("preset:smollm2-135m", "RTX 4090 24GB", {}),
    ("preset:smollm2-135m", "cpu", {}),
    ("preset:smollm2-135m", "H100 80GB", {"precision": "bf16_mixed"}),
    ("preset:gpt2", "RTX 4090 24GB", {"training.outputs": "until_loss"}),
    ("preset:t5-small", "RTX 4090 24GB", {"training.zero_grad": "before_forward"}),
    ("preset:vit-b-16", "RTX 4090 24GB", {"precision": "fp16_mixed"}),
    ("preset:smollm2-135m", "RTX 4090 24GB", {"training.zero_grad": "before_backward"}),
    (
        "preset:tinyllama-1.1b",
        "RTX 4090 24GB",
        {"sharding.cards_per_node": 4, "sharding.data": "zero_3"},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("source", "name", "values"), CASES)
def test_parts_make_the_same_step_as_a_recording_of_the_plan(
    source: str, name: str, values: dict[str, object]
) -> None:
    device = find_device(name)
    made, alone = Evaluation(load(source), device), load(source)
    plan = PLAN.with_values(values)
    plans = list(Space(plan, Target.of(device), SearchGoal()).plans())
    told = 0
    chosen = random.Random(source + name)  # noqa: S311  (a sample, the same each time)
    for one in chosen.sample(plans, min(5, len(plans))):
        try:
            with recorded_whole():
                whole = estimate(alone, one, device)
        except MemplannerError:
            with pytest.raises(MemplannerError):
                made.figures([one])
            continue
        peak = whole.peak
        (found,) = made.figures([one])
        assert found == Figures(peak.allocated_bytes, peak.phase, peak.by_category)
        if whole.time is None:
            assert found.time is None
        elif plan.sharding.ranks == 1:
            assert found.time is not None
            assert found.time.seconds == pytest.approx(whole.time.seconds, rel=1e-3)
        told += 1
    assert told >= 1


@pytest.mark.slow
def test_plans_share_recordings() -> None:
    model, device = load("preset:smollm2-135m"), find_device("RTX 4090 24GB")
    evaluation = Evaluation(model, device)
    plan = PLAN.with_values({"training.sequence_length": 128})
    space = Space(plan, Target.of(device), SearchGoal(pinned=("adapters", "training")))
    plans = list(space.plans())
    evaluation.figures(plans)
    assert len(plans) > 10 * recorder(model)._recordings.made


def test_many_points_of_one_structure_are_what_each_is_alone() -> None:
    model, device = load("preset:smollm2-135m"), find_device("RTX 4090 24GB")
    plans = [
        PLAN.with_values({"training.batch_size": batch, "training.sequence_length": length})
        for batch, length in ((2, 64), (5, 64), (3, 160), (8, 192))
    ]
    together = Evaluation(model, device).figures(plans)
    for plan, figures in zip(plans, together, strict=True):
        peak = estimate(load("preset:smollm2-135m"), plan, device).peak
        assert figures == Figures(peak.allocated_bytes, peak.phase, peak.by_category)


def test_no_plan_takes_less_than_its_bound() -> None:
    model, device = load("preset:smollm2-135m"), find_device("RTX 4090 24GB")
    evaluation = Evaluation(model, device)
    for plan in islice(Space(PLAN, Target.of(device), SearchGoal()).plans(), 20):
        before = evaluation.least_bytes(plan)  # before anything is recorded of it
        (figures,) = evaluation.figures([plan])
        assert 0 < before <= figures.allocated_bytes
        assert evaluation.least_bytes(plan) <= figures.allocated_bytes
