"""Runs in a real worker process that come to their end."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import memplanner as mp
from memplanner.messages.device import Device
from memplanner.messages.run import RunFigures
from tests.run.conftest import Run
from tests.run.recipes import write_recipe
from tests.truth.small_models import CNN

Start = Callable[..., Run]
TOLERANCE = 0.01
LORA = {"adapters": {"method": "lora", "rank": 4, "target_modules": ["q_proj", "v_proj"]}}
CHECKPOINTING = {"activation_checkpointing": {"policy": "full"}}


def _planned(plan: mp.Plan, **sections: Any) -> mp.Plan:
    training = plan.training.model_dump() | sections.pop("training", {})
    return mp.Plan.model_validate({"precision": "fp32", "training": training, **sections})


def _check(run: Run, steps: int) -> None:
    result = run.result
    assert result.outcome == "finished"
    assert result.steps == steps == len(result.losses) == len(result.step_seconds)
    assert all(math.isfinite(loss) for loss in result.losses)
    assert result.measured is not None
    for figures in (result.predicted, result.measured):
        assert figures.by_category.total_bytes == figures.allocated_bytes
        assert max(figures.by_phase.values()) <= figures.allocated_bytes
        assert {"forward", "backward", "optimizer_step"} <= figures.by_phase.keys()
        assert len(figures.curve_bytes) == len(figures.curve_phases) > 0
    assert result.error is not None
    assert abs(result.error) < TOLERANCE


@pytest.fixture(scope="module")
def accumulated(run: Start, llama: Any, plan: mp.Plan) -> Run:
    return run(llama, _planned(plan, training={"gradient_accumulation_steps": 3}))


def test_accumulating_in_fp32(accumulated: Run) -> None:
    _check(accumulated, 3)
    micro_batches = {sample.micro_batch for sample in accumulated.of("sample")}
    assert micro_batches <= {0, 1, 2}


def test_events_come_in_order(accumulated: Run) -> None:
    assert accumulated.kinds[:2] == ("started", "progress")
    assert [kind for kind in accumulated.kinds if kind != "sample"][-2:] == ["step", "result"]
    assert [event.kind for event in accumulated.events].count("result") == 1
    assert [step.step for step in accumulated.of("step")] == [1, 2, 3]
    times = [event.seconds for event in accumulated.events if event.kind in {"step", "progress"}]
    assert times == sorted(times)


def test_there_is_a_sample_of_every_step(accumulated: Run) -> None:
    samples = accumulated.of("sample")
    assert {sample.step for sample in samples} == {1, 2, 3}
    for step in accumulated.of("step"):
        highest = max(sample.highest_bytes for sample in samples if sample.step == step.step)
        assert highest == step.peak_bytes


def test_result_repeats_what_was_planned(accumulated: Run) -> None:
    started, result = accumulated.of("started")[0], accumulated.result
    assert started.data == "generated tokens"
    assert (started.plan, started.model, started.predicted) == (
        result.plan,
        result.model,
        result.predicted,
    )
    assert result.losses == tuple(step.loss for step in accumulated.of("step"))


def test_bf16(run: Start, llama: Any, plan: mp.Plan) -> None:
    _check(run(llama, _planned(plan, precision="bf16"), steps=2), 2)


def test_lora_with_full_checkpointing(run: Start, llama: Any, plan: mp.Plan) -> None:
    done = run(llama, _planned(plan, **LORA, **CHECKPOINTING), steps=2)
    _check(done, 2)
    assert 0 < done.result.model.trainable_parameters < done.result.model.parameters // 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "sections",
    [
        pytest.param(LORA, id="LoRA"),
        pytest.param(CHECKPOINTING, id="full checkpointing"),
        pytest.param({"precision": "bf16_mixed"}, id="bf16 mixed"),
        pytest.param({"optimizer": {"name": "sgd"}}, id="an optimizer without state"),
        pytest.param({"training": {"zero_grad": "before_forward"}}, id="zero_grad first"),
        pytest.param({"training": {"zero_grad": "before_backward"}}, id="zero_grad late"),
        pytest.param({"training": {"outputs": "until_next_output"}}, id="outputs kept"),
    ],
)
def test_other_plans(run: Start, llama: Any, plan: mp.Plan, sections: dict[str, Any]) -> None:
    done = run(llama, _planned(plan, **sections), steps=2)
    _check(done, 2)
    assert _workspaces(done.result.measured) < 0.01 * done.result.predicted.allocated_bytes


def _workspaces(figures: RunFigures | None) -> int:
    assert figures is not None
    return figures.by_category.workspaces


@pytest.mark.slow
def test_convolutions_have_workspaces(run: Start, plan: mp.Plan, tmp_path: Path) -> None:
    source = tmp_path / "classifier.py"
    source.write_text(CNN)
    done = run(source, steps=2)
    assert done.result.outcome == "finished"
    assert _workspaces(done.result.measured) > 0


def test_one_step_is_measured_by_one_more(run: Start, tmp_path: Path) -> None:
    full = Device(name="CPU", kind="cpu", memory_bytes=4096, local=True)
    done = run(write_recipe(tmp_path), steps=1, device=full, force=True)
    _check(done, 1)
    assert len(done.of("step")) == 1
    assert "One more step" in done.result.notes[0]


def test_what_user_code_prints_does_not_disturb(really_run: Start, tmp_path: Path) -> None:
    forward = """
print("{not an event", end="")
os.write(1, b'{"kind": "result"}\\n')
sys.__stdout__.write("no event either\\n")
sys.__stdout__.flush()
assert sys.stdin.read() == ""
os.system("echo from a child")
"""
    source = write_recipe(tmp_path, forward)
    source.write_text('print("on opening")\n' + source.read_text())
    done = really_run(source, steps=2)
    _check(done, 2)
    assert done.of("started")[0].data == "the recipe's own batches"
