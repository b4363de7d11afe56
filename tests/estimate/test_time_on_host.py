"""What DeepSpeed does in host memory takes its time: counted by hand, with a range."""

from __future__ import annotations

from typing import Any

import pytest

from memplanner.estimate import estimate
from memplanner.estimate.deepspeed.on_host import HOST_SPREAD, on_host
from memplanner.hardware import find_device
from memplanner.hardware.rates import HOST_MEMORY_BYTES, rates_of
from memplanner.messages.cost import StepTime
from memplanner.plan import Plan
from tests.estimate.recordings import META, planned, tiny

CARD = find_device("A100 80GB")
RATES = rates_of(CARD)
BILLION = 10**9


def shared(**values: Any) -> Plan:
    """Two accumulated micro-batches over eight cards of two nodes, the optimizer on their hosts."""
    ways = {
        "precision": "bf16_mixed", "training__gradient_accumulation_steps": 2,
        "sharding__engine": "deepspeed", "sharding__nodes": 2, "sharding__cards_per_node": 4,
        "sharding__data": "zero_3", "sharding__offload_optimizer": "host", **values,
    }  # fmt: skip
    return planned(**ways)


@pytest.mark.parametrize(
    ("values", "beside", "after"),
    [
        # there and back in bf16 in both micro-batches, the full gradient once; weights come back
        ({}, 4 + 4 + 4, 2),
        # in ZeRO-2 the first micro-batch has nothing to be added to
        ({"sharding__data": "zero_2"}, 4 + 2 + 4, 2),
        # ZeRO-1 reduces once a step
        ({"sharding__data": "zero_1"}, 4, 2),
        ({"training__gradient_accumulation_steps": 1, "sharding__data": "zero_2"}, 4, 2),
        # shares of the parameters, four times in a step, and none comes back at its end
        ({"sharding__offload_parameters": "host"}, 12 + 8, 0),
        ({"precision": "fp32"}, 8 + 8 + 4, 4),
    ],
)
def test_bytes_of_a_parameter_are_those_of_the_source(
    values: dict[str, Any], beside: int, after: int
) -> None:
    assert RATES is not None
    found = on_host(shared(**values), 8 * BILLION, 8 * BILLION, RATES)
    assert found.beside == pytest.approx(beside * BILLION / RATES.bus_bytes)
    assert found.after == pytest.approx(after * BILLION / RATES.bus_bytes)
    cast = 0 if values.get("precision") == "fp32" else 4 + 2
    moved = 2 * 4 * 3 + 4 + cast  # weight and two states, read and written; the gradient, read
    assert found.update == pytest.approx(4 * moved * BILLION / HOST_MEMORY_BYTES)


def time_of(plan: Plan) -> StepTime | None:
    return estimate(tiny("llama"), plan, CARD).time


def test_a_step_with_the_optimizer_on_the_host_has_a_time_and_a_wider_range() -> None:
    plain, away = time_of(shared(sharding__offload_optimizer="none")), time_of(shared())
    assert plain is not None
    assert away is not None
    assert RATES is not None
    seconds = {part.name: part.seconds for part in away.parts}
    trained = sum(part.numel() for part in tiny("llama").build(META).parameters())
    expected = on_host(shared(), trained, trained, RATES)
    assert seconds["optimizer"] == pytest.approx(expected.update)
    assert seconds["host_transfers"] >= expected.after
    assert sum(seconds.values()) == pytest.approx(away.seconds)
    least = away.seconds * RATES.low - expected.update * (1 - 1 / HOST_SPREAD)
    assert away.low_seconds == pytest.approx(least)
    assert away.high_seconds >= away.seconds * RATES.high + expected.update * (HOST_SPREAD - 1)
    assert "host memory is reckoned" in away.how
    assert "host memory" not in plain.how


def test_what_is_not_known_is_said() -> None:
    made = estimate(tiny("llama"), shared(sharding__offload_optimizer="nvme"), CARD)
    assert made.time is None
    assert any("no rate of an NVMe drive is known" in note for note in made.notes)
