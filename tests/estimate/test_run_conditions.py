"""What a run's own conditions add on a device: loading, the driver, a loss scaler, convolutions."""

from __future__ import annotations

from pathlib import Path

import pytest

from memplanner.estimate import Prediction, estimate
from memplanner.estimate.on_device import RESERVED_SPREAD
from memplanner.hardware import find_device
from memplanner.hardware.overhead import EAGER_KERNELS, driver_reserve, total
from memplanner.messages.device import Device
from memplanner.units import GIB
from tests.estimate.recordings import planned, recipe, tiny
from tests.truth.small_models import CNN

CARD = Device(name="a card", kind="cuda", memory_bytes=80 * GIB, architecture="9.0")


def above_the_spread(prediction: Prediction) -> int:
    """Bytes by which the device's high value is above what its parts and the spread explain."""
    peak, beside = prediction.peak, total(prediction.overhead)
    assert peak.reserved_bytes is not None
    assert peak.device_high_bytes is not None
    spread = round(RESERVED_SPREAD * peak.reserved_bytes)
    return peak.device_high_bytes - peak.reserved_bytes - spread - beside.high_bytes


def test_kernels_loaded_at_the_start_are_a_row_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def names() -> list[str]:
        return [row.name for row in estimate(tiny("llama"), planned(2, 24), CARD).overhead]

    assert EAGER_KERNELS not in names()
    monkeypatch.setenv("CUDA_MODULE_LOADING", "EAGER")
    assert EAGER_KERNELS in names()


def test_what_the_driver_keeps_is_nobodys() -> None:
    device = find_device("RTX 5060")
    assert device.memory_bytes is not None
    kept = driver_reserve(device).high_bytes
    assert kept > 0
    capacity = estimate(tiny("llama"), planned(2, 24), device).on_device.capacity_bytes
    assert capacity == device.memory_bytes - kept


def test_a_loss_scaler_keeps_two_numbers_on_the_card() -> None:
    def workspaces(precision: str) -> int:
        plan = planned(2, 24, precision=precision)
        return estimate(tiny("llama"), plan, CARD).peak.by_category.workspaces

    assert workspaces("fp16_mixed") - workspaces("bf16_mixed") == 2 * 4


def test_convolutions_lift_the_high_value_alone(tmp_path: Path) -> None:
    assert above_the_spread(estimate(tiny("llama"), planned(2, 24), CARD)) == 0
    assert above_the_spread(estimate(recipe(tmp_path, CNN), planned(2, 1), CARD)) > 0
