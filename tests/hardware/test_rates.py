"""What a card reaches of its data sheet's rates."""

from __future__ import annotations

import pytest

from memplanner.hardware import find_device
from memplanner.hardware.catalogue import cards
from memplanner.hardware.rates import bus_bytes, rates_of, stand_in_rates


def test_every_card_with_stated_rates_has_them_below_its_data_sheet() -> None:
    known = 0
    for card in cards():
        rates = rates_of(card.device)
        if card.bandwidth_gb_s is None or card.tflops.fp32 is None:
            continue
        assert rates is not None, card.name
        known += 1
        assert 0.3 < rates.memory_bytes / (card.bandwidth_gb_s * 1e9) < 1
        assert set(rates.products) == {"fp32", "bf16", "fp16", "fp8", "int8"}
        for name in ("fp32", "bf16"):
            stated = getattr(card.tflops, name)
            if stated is not None:
                assert 0.4 < rates.products[name] / (stated * 1e12) < 1, card.name
        assert rates.low < 1 < rates.high
    assert known > 50


def test_a_cpu_has_none_of_its_own() -> None:
    assert rates_of(find_device("cpu")) is None
    assert stand_in_rates().products["fp32"] > 0


@pytest.mark.parametrize(
    ("name", "gb_s"),
    [("RTX 4090", 32), ("H100 PCIe", 64), ("H100", 64), ("A100 80GB", 32), ("RTX 4060", 16)],
)
def test_host_memory_is_reached_over_pcie(name: str, gb_s: float) -> None:
    device = find_device(name)
    card = next(card for card in cards() if card.name == device.name)
    assert bus_bytes(card) == pytest.approx(0.8 * gb_s * 1e9)


def test_a_slower_device_takes_the_factor_longer() -> None:
    rates = rates_of(find_device("RTX 4090"))
    assert rates is not None
    slower = rates.scaled(2.0, 0.9, 1.1, "timed")
    assert slower.memory_bytes == rates.memory_bytes / 2
    assert slower.products["bf16"] == rates.products["bf16"] / 2
    assert slower.launch_seconds == 2 * rates.launch_seconds
    assert (slower.low, slower.high, slower.how) == (0.9, 1.1, "timed")
