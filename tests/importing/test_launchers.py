"""What accelerate's and DeepSpeed's files carry of a plan comes back; the rest is the script's."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as examples

from memplanner.errors import ExportError, PlanError
from memplanner.export.registry import find_target
from memplanner.export.settings import settings
from memplanner.export.target import Subject
from memplanner.hardware import find_device
from memplanner.importing import parse_trainer
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests.plan.plans import plans


@pytest.fixture(scope="module")
def model() -> Model:
    return load("preset:smollm2-135m")


@pytest.mark.parametrize("name", ["accelerate", "deepspeed"])
@given(plan=plans(at_most=4))
@examples(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_what_is_said_comes_back(name: str, plan: Plan, model: Model) -> None:
    assume(plan.inference.use == "training")
    # what the script decides is not in question here
    plan = Plan(
        training=plan.training, sharding=plan.sharding, optimizer=plan.optimizer,
        precision=plan.precision,
    )  # fmt: skip
    # accelerate reaches torch's ZeRO-1 through DeepSpeed, as the file's head says
    assume(plan.sharding.data != "zero_1" or plan.sharding.deepspeed)
    target = find_target(name)
    subject = Subject(model, plan, find_device("H100 80GB"))
    try:
        text = target.text(subject, ())
    except (ExportError, PlanError):
        assume(False)
    section = plan.sharding
    start = {"nodes": section.nodes, "cards_per_node": section.cards_per_node}
    base = Plan.model_validate({"sharding": start, "precision": plan.precision})

    read = parse_trainer(text, base)

    assert read.trainer == name
    assert read.no_place == ()
    values, back, said = plan.to_dict(), read.plan.to_dict(), target.said(subject)
    for setting in settings(plan):
        for key in setting.keys:
            part, _, field = key.partition(".")
            if key not in said or (part == "sharding" and section.ranks == 1):
                continue
            own = section.offload_optimizer != "none" or plan.optimizer.name == "lion"
            if name == "deepspeed" and own and key == "optimizer.implementation":
                continue  # the update is DeepSpeed's own
            before = values[part][field] if field else values[part]
            assert before == (back[part][field] if field else back[part]), key
