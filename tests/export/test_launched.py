"""The peak of what accelerate and DeepSpeed launch: the file read back, the rest as planned."""

from __future__ import annotations

from typing import Any

import pytest

from memplanner.export import render
from memplanner.export.target import Rendering
from memplanner.messages.device import Device
from memplanner.messages.protocol import RunsAs
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.difference import difference

DEEPSPEED = {
    "sharding.cards_per_node": 4, "sharding.data": "zero_3", "sharding.engine": "deepspeed",
    "precision": "bf16_mixed",
}  # fmt: skip
IN_PARTS = {"sharding.cards_per_node": 4, "training.gradient_accumulation_steps": 4}


def launched(
    target: str, model: Model, card: Device, changes: dict[str, Any]
) -> tuple[Rendering, RunsAs, set[str]]:
    """The export, what is told of it, and the keys in which it is another plan."""
    plan = Plan().with_values({"training.sequence_length": 64, **changes})
    rendering = render(target, model, plan, card)
    assert rendering.runs_as is not None
    really = rendering.runs_as
    return rendering, really, {change.key for change in difference(plan, really.plan)}


@pytest.mark.parametrize(
    ("target", "changes"),
    [
        ("accelerate", {"activation_checkpointing.policy": "selective"}),
        ("accelerate", {"sharding.cards_per_node": 4, "sharding.data": "zero_3"}),
        ("accelerate", {"sharding.cards_per_node": 4, "sharding.bucket_mib": 100}),
        ("deepspeed", {**DEEPSPEED, "sharding.reduce_bucket_size": 1000}),
    ],
)
def test_what_the_script_does_is_taken_as_planned(
    target: str, changes: dict[str, Any], llama: Model, card: Device
) -> None:
    rendering, really, other = launched(target, llama, card, changes)
    assert other == set()
    assert really.sentence.endswith("as planned, where the script does everything else as planned")
    written = rendering.files[0].text
    assert ("What it launches runs with a peak of" in written) == (target == "accelerate")


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({**DEEPSPEED, "sharding.reduce_bucket_size": 1000}, {"sharding.reduce_bucket_size"}),
        ({**IN_PARTS, "sharding.pipeline": 2}, {"sharding.pipeline"}),
    ],
)
def test_what_the_file_decides_otherwise_is_in_the_peak(
    changes: dict[str, Any], keys: set[str], llama: Model, card: Device
) -> None:
    _, really, other = launched("accelerate", llama, card, changes)
    assert other == keys
    assert "than the plan" in really.sentence


def test_what_would_not_start_is_said(llama: Model, card: Device) -> None:
    changes = {"sharding.cards_per_node": 4, "sharding.data": "zero_1", "precision": "bf16"}
    rendering, really, other = launched("accelerate", llama, card, changes)
    assert other == {"sharding.engine"}  # accelerate reaches ZeRO-1 through DeepSpeed
    assert really.allocated_bytes is None
    assert "cannot be estimated as it is written: precision=bf16" in really.sentence
    assert "choose precision=bf16_mixed" in " ".join(rendering.files[0].text.split("\n# "))
