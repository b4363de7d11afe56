"""What is recorded again, and what is arithmetic on what was recorded."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from memplanner.errors import EstimateError, PlanError
from memplanner.estimate import estimate, recorder
from memplanner.estimate.recorder import Recorder
from memplanner.messages.device import Device
from memplanner.plan import Plan
from memplanner.techniques.target import Target
from tests.estimate.recordings import (
    CPU,
    H100,
    differences,
    planned,
    real_peak_bytes,
    recipe,
    record_whole,
    tiny,
)

RECORDING: Any = import_module("memplanner.estimate.recording")
RECORDER: Any = import_module("memplanner.estimate.recorder")  # its name is a function's too
CARD = Device(name="a card", kind="cuda", memory_bytes=80 * 1024**3, architecture="9.0")
SMALLER_CARD = CARD.model_copy(update={"name": "another", "memory_bytes": 2**30})
CPU_HERE = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Plan]]:
    """The plans of which steps, or updates alone, were recorded, one for each recording."""
    plans: list[Plan] = []

    def counted(real: Any, model: Any, plan: Plan, *rest: Any, **options: Any) -> Any:
        plans.append(plan)
        return real(model, plan, *rest, **options)

    for name in ("record", "record_update"):
        monkeypatch.setattr(RECORDING, name, partial(counted, getattr(RECORDING, name)))
    return plans


NUMERIC = (
    {"training.batch_size": 7},
    {"training.sequence_length": 40},
    {"training.batch_size": 1000, "training.sequence_length": 4000},
    {"optimizer.learning_rate": 0.5},
    {"optimizer.weight_decay": 0.3},
    {"training.gradient_accumulation_steps": 1},
)
STRUCTURAL = (
    {"precision": "fp32"},
    {"optimizer.name": "sgd"},
    {"optimizer.weight_decay": 0},
    {"optimizer.implementation": "for_loop"},
    {"attention.kernel": "eager"},
    {"activation_checkpointing.policy": "full"},
    {"adapters.method": "lora"},
    {"training.zero_grad": "before_backward"},
    {"training.outputs": "until_loss"},
    {"training.gradient_accumulation_steps": 2},
)


def test_a_number_changes_without_a_recording(recordings: list[Plan]) -> None:
    model = replace(tiny("llama"), name="numbers")
    plan = planned(3, 24, precision="bf16")
    estimate(model, plan, CARD).prepare_changes()
    recordings.clear()
    for change in NUMERIC:
        estimate(model, plan.with_values(change), CARD)
        estimate(model, plan.with_values(change), SMALLER_CARD)
    assert recordings == []


def test_one_sample_is_ready_for_several(recordings: list[Plan]) -> None:
    model = replace(tiny("llama"), name="one sample")
    estimate(model, planned(1, 24), CARD).prepare_changes()
    recordings.clear()
    for batch_size in (2, 1, 4):
        estimate(model, planned(batch_size, 30), CARD)
    assert recordings == []


def test_accumulation_is_one_recording_for_all_numbers(recordings: list[Plan]) -> None:
    model = replace(tiny("llama"), name="accumulation")
    plan = planned(2, 24, training__gradient_accumulation_steps=2)
    peak = estimate(model, plan, CARD).peak
    recordings.clear()
    for steps in (3, 8, 64):
        more = plan.with_values({"training.gradient_accumulation_steps": steps})
        assert estimate(model, more, CARD).peak == peak
    assert recordings == []


@pytest.mark.parametrize("zero_grad", ["before_forward", "before_backward", "after_step"])
@pytest.mark.parametrize("outputs", ["until_loss", "until_step_end", "until_next_output"])
def test_any_loop_is_as_high_as_a_real_one(outputs: str, zero_grad: str) -> None:
    """Also with more micro-batches than the two that are recorded."""
    model = tiny("llama", num_hidden_layers=2)
    plan = planned(2, 12, training__outputs=outputs, training__zero_grad=zero_grad)
    for micro_batches in (1, 3):
        more = plan.with_values({"training.gradient_accumulation_steps": micro_batches})
        predicted = record_whole(model, more).without_scratch().curve_bytes.max()
        assert predicted == real_peak_bytes(model, more)


@pytest.mark.parametrize("change", STRUCTURAL, ids=str)
def test_a_choice_is_recorded_once(recordings: list[Plan], change: dict[str, object]) -> None:
    model = replace(tiny("llama"), name="choices")
    plan = planned(3, 24, precision="bf16")
    estimate(model, plan, CARD)
    recordings.clear()
    changed = plan.with_values(change)
    estimate(model, changed, CARD)
    assert recordings
    recordings.clear()
    estimate(model, plan, CARD)
    estimate(model, changed, CARD)
    assert recordings == []


def test_idle_moments_make_later_changes_arithmetic(recordings: list[Plan]) -> None:
    model = replace(tiny("llama"), name="idle")
    estimate(model, planned(3, 24), CARD)
    prediction = estimate(model, planned(3, 24, optimizer__name="sgd"), CARD)
    prediction.prepare_changes()
    recordings.clear()
    for batch_size, length in ((1, 24), (2, 50), (9, 9)):
        estimate(model, planned(batch_size, length, optimizer__name="sgd"), CARD)
    assert recordings == []


def test_a_prediction_from_forms_is_the_recorded_one() -> None:
    model = replace(tiny("llama"), name="forms")
    estimate(model, planned(2, 24), CARD)
    arithmetic = estimate(model, planned(5, 33), CARD)
    fresh = estimate(replace(tiny("llama"), name="fresh"), planned(5, 33), CARD)
    assert arithmetic.peak == fresh.peak
    assert arithmetic.layers == fresh.layers
    assert arithmetic.timeline == fresh.timeline
    assert arithmetic.figures() == fresh.figures()
    assert arithmetic.describe("model.layers.3") == fresh.describe("model.layers.3")


def test_the_target_counts_not_the_cards_name(recordings: list[Plan]) -> None:
    model = replace(tiny("llama"), name="targets")
    estimate(model, planned(3, 24), CARD)
    recordings.clear()
    older = CARD.model_copy(update={"architecture": "8.0"})
    estimate(model, planned(3, 24), older)
    assert recordings
    recordings.clear()
    unknown = CARD.model_copy(update={"architecture": ""})
    estimate(model, planned(3, 24), unknown)
    assert recordings == []


def test_a_recorder_lives_as_long_as_its_model() -> None:
    model = replace(tiny("llama"), name="short-lived")
    assert recorder(model) is recorder(model)
    known = len(RECORDER._recorders)
    del model
    gc.collect()
    assert len(RECORDER._recorders) < known


def test_a_borders_length_may_stand_in_a_configuration_inside() -> None:
    mistral = tiny("mistral")
    inside = replace(mistral, config={"text_config": dict(mistral.config)})
    records = Recorder(inside)
    for length in (12, 16, 17, 40):
        plan = planned(2, length, precision="bf16")
        assert differences(records.tape(plan, H100)[0], record_whole(inside, plan, H100)) == []


def test_positions_limit_the_sequence() -> None:
    model = tiny("gpt2", n_layer=2)
    longest = estimate(model, planned(2, 64), CARD).peak
    assert model.max_sequence_length == 64
    assert estimate(model, planned(2, 500), CARD).peak == longest
    assert Recorder(model).point(planned(2, 500)) == (2, 64)


def test_a_model_without_a_sequence_takes_any() -> None:
    model = tiny("vit")
    assert not model.takes_sequence
    assert estimate(model, planned(2, 1), CARD).peak == estimate(model, planned(2, 9999), CARD).peak


BROKEN = """
import torch
from torch import nn


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        if x.shape[1] > 20:
            raise RuntimeError("no more than 20")
        return self.layer(x).sum()


def model():
    return Broken()


def batch(batch_size, sequence_length):
    return {"x": torch.randn(batch_size, sequence_length, 4)}
"""


def test_a_step_that_cannot_run_is_one_sentence(tmp_path: Path) -> None:
    model = recipe(tmp_path, BROKEN)
    with pytest.raises(EstimateError, match=r"^recipe cannot run .*no more than 20; change batch"):
        estimate(model, planned(1, 24), CPU_HERE)
    assert estimate(model, planned(1, 8), CPU_HERE).peak.allocated_bytes > 0


def test_a_plan_that_cannot_be_carried_out_is_one_sentence() -> None:
    with pytest.raises(PlanError, match="exists on CUDA cards only"):
        estimate(tiny("llama"), planned(attention__kernel="cudnn"), CPU_HERE)


def test_adapters_of_single_blocks_are_not_folded() -> None:
    model = tiny("llama")
    plan = planned(
        adapters__method="lora",
        adapters__target_modules=["layers.1.self_attn.q_proj", "layers.4.mlp.up_proj"],
    )
    tape, method = recorder(model).tape(plan, CPU)
    assert "folded" not in method
    assert differences(tape, record_whole(model, plan, Target())) == []


@pytest.mark.parametrize("name", ["llama", "gemma2", "bert"])
def test_peaks_of_many_points_are_those_of_single_estimates(name: str) -> None:
    model, plan = tiny(name), planned(1, 24, precision="bf16")
    points = [(1, 24), (1, 9), (2, 9), (2, 30), (7, 17), (3, 64)]
    singles = [
        estimate(
            model,
            plan.with_values({"training.batch_size": batch, "training.sequence_length": length}),
            CARD,
        ).peak.allocated_bytes
        for batch, length in points
    ]
    assert recorder(model).peaks_bytes(plan, Target.of(CARD), points).tolist() == singles


@pytest.mark.parametrize("length", [21, 40, 48, 64, 80])
def test_lengths_that_cuda_pads_are_evaluated_as_recorded(length: int) -> None:
    model, plan = tiny("t5"), planned(2, 32)
    records = Recorder(model)
    records.tape(plan, H100)
    records.prepare_changes(plan, H100)
    other = planned(2, length)
    assert differences(records.tape(other, H100)[0], record_whole(model, other, H100)) == []


def test_a_first_block_without_gradients_is_left_out_of_the_fold() -> None:
    plan = planned(
        2, 12, adapters__method="lora", adapters__target_modules=["up_proj", "down_proj"]
    )
    model = tiny("long llama")
    tape, how = Recorder(model).tape(plan, H100)
    assert "9 blocks folded to 4" in how
    assert differences(tape, record_whole(model, plan, H100)) == []
