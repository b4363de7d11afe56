"""What ``apply`` refuses before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import memplanner as mp
from memplanner.errors import PlanError, RunError
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from tests.run.recipes import write_recipe


@pytest.fixture
def tiny(tmp_path: Path) -> Model:
    return mp.load(write_recipe(tmp_path))


def _host(memory_bytes: int, used_bytes: int = 0) -> Device:
    return Device(
        name="CPU", kind="cpu", memory_bytes=memory_bytes, used_bytes=used_bytes, local=True
    )


def test_more_than_the_free_memory(tiny: Model, plan: mp.Plan) -> None:
    with pytest.raises(RunError) as refused:
        mp.apply(tiny, plan, _host(2**30, 2**30 - 4096))
    sentence = str(refused.value)
    assert sentence.startswith("The plan takes ")
    assert "CPU has 4 KiB free" in sentence
    assert sentence.endswith("change the plan, or force the run.")


def test_a_high_end_that_exceeds_the_free_memory(tiny: Model, plan: mp.Plan) -> None:
    card = Device(
        name="Some card", kind="cuda", memory_bytes=2**40, index=0, local=True, architecture="9.0"
    )
    peak = mp.estimate(tiny, plan, card).peak
    assert peak.device_bytes is not None
    assert peak.device_high_bytes is not None
    between = (peak.device_bytes + peak.device_high_bytes) // 2
    tight = card.model_copy(update={"memory_bytes": between})
    with pytest.raises(RunError, match=r"The plan may take up to .* free; change the plan, or"):
        mp.apply(tiny, plan, tight)


def test_a_card_that_is_not_here(tiny: Model, plan: mp.Plan) -> None:
    with pytest.raises(RunError, match="is not in this machine"):
        mp.apply(tiny, plan, Device(name="H100 80GB", kind="cuda", memory_bytes=80 * 10**9))


@pytest.mark.parametrize("steps", [0, -1])
def test_no_steps(tiny: Model, plan: mp.Plan, cpu: Device, steps: int) -> None:
    with pytest.raises(RunError, match=f"steps is {steps}"):
        mp.apply(tiny, plan, cpu, steps=steps)


def test_parameters_only(plan: mp.Plan, cpu: Device, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a.weight": torch.zeros(4, 4)}, path)
    with pytest.raises(RunError, match="holds parameters but no forward"):
        mp.apply(mp.load(path), plan, cpu)


def test_a_plan_that_cannot_be_carried_out(tiny: Model, plan: mp.Plan, cpu: Device) -> None:
    with pytest.raises(PlanError, match="exists on CUDA cards only"):
        mp.apply(tiny, plan.with_values({"attention.kernel": "cudnn"}), cpu)


def test_a_precision_that_would_quietly_be_another(tiny: Model, plan: mp.Plan, cpu: Device) -> None:
    with pytest.raises(RunError, match="choose bf16_mixed for the CPU"):
        mp.apply(tiny, plan.with_values({"precision": "fp16_mixed"}), cpu)


def test_an_interpreter_that_cannot_be_started(
    tiny: Model, plan: mp.Plan, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(RunError, match="No process can be started"):
        mp.apply(tiny, plan, cpu)
