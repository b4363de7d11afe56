"""Measuring a card's context, with a process and a driver that only pretend."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
import torch

from memplanner.errors import DeviceError
from memplanner.hardware import nvml
from memplanner.hardware.measurement import measure_overhead
from memplanner.hardware.measurement_child import train
from memplanner.hardware.overhead import CONTEXT, KERNELS, overhead
from memplanner.messages.device import Device
from memplanner.units import GIB, MIB
from tests.hardware.fake_driver import FakeCard, FakeDriver

TALKS = """
import json, sys
print("a library says hello")
for stage, reserved in (("context", 2), ("kernels", 24)):
    print(json.dumps({"stage": stage, "reserved_bytes": reserved * 2**20, "torch": "2.13.0",
                      "cuda": "13.0"}), flush=True)
    sys.stdin.readline()
"""


def process(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.fixture
def readings(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the card will say it uses, in MiB, one reading after another; the last one stays."""
    driver.cards = [FakeCard(name="NVIDIA GeForce RTX 4090", capability=(8, 9))]
    to_come = [1000]

    def memory(card: FakeCard, version: Any = None) -> SimpleNamespace:
        now = to_come.pop(0) if len(to_come) > 1 else to_come[0]
        return SimpleNamespace(total=card.total, used=now * MIB, reserved=card.reserved)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", memory)
    return to_come


@pytest.fixture
def device() -> Device:
    return Device(
        name="NVIDIA GeForce RTX 4090", kind="cuda", memory_bytes=24 * GIB, architecture="8.9",
        index=0, local=True,
    )  # fmt: skip


def test_the_context_is_what_the_allocator_does_not_account_for(
    readings: list[int], device: Device
) -> None:
    readings[:] = [1000, 1000 + 410 + 2, 1000 + 410 + 60 + 24, 1000]
    measured = measure_overhead(device, process(TALKS))
    context, kernels = measured.rows
    assert (context.name, kernels.name) == (CONTEXT, KERNELS)
    assert context.low_bytes == context.expected_bytes == context.high_bytes == 410 * MIB
    assert kernels.low_bytes == kernels.expected_bytes == 60 * MIB
    assert kernels.high_bytes > kernels.expected_bytes
    assert "torch 2.13.0" in context.source
    assert (measured.torch, measured.cuda, measured.driver) == ("2.13.0", "13.0", "580.65.06")
    assert overhead(device, measured=measured.rows) == measured.rows


def test_another_program_meanwhile_is_told(readings: list[int], device: Device) -> None:
    readings[:] = [1000, 1400, 1500, 1100]
    with pytest.raises(DeviceError, match="Other programs’ use of NVIDIA GeForce RTX 4090 changed"):
        measure_overhead(device, process(TALKS))


ONE_STAGE = TALKS.replace('("kernels", 24)', "")


@pytest.mark.parametrize(
    ("code", "seconds", "why"),
    [
        ("raise SystemExit('RuntimeError: no kernel image is available')", 60, "no kernel image"),
        ("pass", 60, "it ended early"),
        (ONE_STAGE, 60, "it ended early"),
        ("import time; time.sleep(60)", 1, "it took more than 1 seconds"),
    ],
)
def test_a_process_that_fails_is_one_sentence(
    readings: list[int], device: Device, code: str, seconds: float, why: str
) -> None:
    with pytest.raises(DeviceError) as told:
        measure_overhead(device, process(code), seconds)
    assert why in str(told.value)
    assert str(told.value).endswith(".")
    assert "\n" not in str(told.value)


def test_a_driver_that_does_not_answer_is_one_sentence(driver: FakeDriver, device: Device) -> None:
    driver.cards = [FakeCard(fails={"memory": pynvml.NVML_ERROR_GPU_IS_LOST})]
    with pytest.raises(DeviceError, match="cannot be measured"):
        measure_overhead(device, process(TALKS))


def test_only_a_cuda_card_of_this_machine_can_be_measured(device: Device) -> None:
    for other in (
        device.model_copy(update={"local": False}),
        Device(name="CPU", kind="cpu", memory_bytes=GIB, local=True),
    ):
        with pytest.raises(DeviceError, match="only on a CUDA card of this machine"):
            measure_overhead(other, process(TALKS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_the_process_trains_is_sound(dtype: torch.dtype) -> None:
    train(torch.device("cpu"), dtype)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")
def test_a_real_card_takes_at_most_twice_the_catalogues_high_value() -> None:
    (device, *_), _ = nvml.probe()
    measured = measure_overhead(device)
    for row, expected in zip(measured.rows, overhead(device)[:2], strict=True):
        assert row.expected_bytes <= 2 * expected.high_bytes
