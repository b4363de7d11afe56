from itertools import combinations
from statistics import median
from typing import Any

import pytest

from memplanner.hardware import cards, catalogue, find_device
from memplanner.hardware.overhead import (
    COMMUNICATION,
    CONTEXT,
    EAGER_KERNELS,
    HIP_CONTEXT,
    KERNELS,
    OTHER_PROGRAMS,
    Observation,
    context_line,
    driver_reserve,
    observations,
    overhead,
    resident_threads,
    total,
    unknown_overhead,
)
from memplanner.messages.device import Device
from memplanner.messages.estimate import OverheadRow
from memplanner.units import GIB, KIB, MIB

BY_NAME = {card.name: card for card in cards()}


def line_of(card: str) -> int:
    return context_line(BY_NAME[card].device).expected_bytes


def names(device: Device, **facts: Any) -> list[str]:
    return [row.name for row in overhead(device, **facts)]


def test_every_device_has_ordered_rows_with_a_source() -> None:
    for device in catalogue():
        for row in overhead(device, ranks=8, eager_loading=True):
            assert 0 <= row.low_bytes <= row.expected_bytes <= row.high_bytes, row
            assert row.high_bytes > 0
            assert row.source


@pytest.mark.parametrize("observation", observations(), ids=lambda one: f"{one.card} {one.mib}")
def test_an_observation_lies_within_the_margin(observation: Observation) -> None:
    rows = {row.name: row for row in overhead(BY_NAME[observation.card].device)}
    if observation.holds == "context":
        row = rows[CONTEXT]
        assert row.low_bytes <= observation.mib * MIB <= row.high_bytes
    else:
        margin = total(rows.values())
        assert margin.low_bytes <= observation.mib * MIB <= margin.high_bytes


def test_the_line_is_the_median_line_through_the_observations() -> None:
    seen: dict[str, list[int]] = {}
    for one in observations():
        if one.holds == "all":
            seen.setdefault(one.card, []).append(one.mib * MIB)
    points = [
        (resident_threads(BY_NAME[card].architecture, BY_NAME[card].multiprocessors or 0),
         median(sizes))
        for card, sizes in seen.items()
    ]  # fmt: skip
    slope = median(
        (b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if a[0] != b[0]
    )
    fixed = median(size - slope * threads for threads, size in points)
    drawn = line_of("RTX 3090 24GB") - line_of("RTX 3060 12GB")
    assert drawn == pytest.approx(slope * (82 - 28) * 1536, rel=1e-3)
    assert line_of("RTX 3060 12GB") == pytest.approx(fixed + slope * 28 * 1536, rel=1e-3)


def test_half_of_the_observations_lie_within_a_twentieth_of_the_line() -> None:
    errors = [
        abs(one.mib * MIB / line_of(one.card) - 1) for one in observations() if one.holds == "all"
    ]
    assert len(errors) >= 40
    assert median(errors) <= 0.05


def test_a_card_with_more_multiprocessors_holds_more() -> None:
    assert line_of("A2 16GB") < line_of("RTX 3060 12GB") < line_of("RTX 3090 24GB")
    assert line_of("A100 80GB MIG 1g.10gb") < line_of("A100 80GB") < line_of("B200 180GB")


def test_an_unknown_card_has_the_range_of_its_architecture() -> None:
    unknown = Device(name="NVIDIA Z1", kind="cuda", memory_bytes=None, architecture="8.6")
    line = context_line(unknown)
    assert line.low_bytes == line_of("A2 16GB")
    assert line.high_bytes == max(line_of(card.name) for card in cards()
                                  if card.architecture == "8.6")  # fmt: skip
    nothing = context_line(unknown.model_copy(update={"architecture": ""}))
    assert nothing.low_bytes == min(line_of(card.name) for card in cards() if card.architecture)
    assert nothing.high_bytes == line_of("GB200 186GB")


def test_a_cpu_has_no_rows() -> None:
    cpu = Device(name="CPU", kind="cpu", memory_bytes=GIB, used_bytes=GIB // 2, local=True)
    assert overhead(cpu, ranks=8) == ()
    assert unknown_overhead(cpu) is None


def test_which_rows_there_are() -> None:
    a100, mi300 = find_device("A100 80GB"), find_device("MI300X")
    assert names(a100) == [CONTEXT, KERNELS]
    assert names(a100, ranks=8) == [CONTEXT, KERNELS, COMMUNICATION]
    assert names(a100, eager_loading=True) == [CONTEXT, KERNELS, EAGER_KERNELS]
    assert names(mi300, ranks=2) == [HIP_CONTEXT, COMMUNICATION]


@pytest.mark.parametrize("name", ["Apple M4 16GB", "Arc A770"])
def test_where_nothing_is_known_a_sentence_says_so(name: str) -> None:
    device = find_device(name)
    assert overhead(device) == ()
    assert (unknown_overhead(device) or "").endswith("none of it.")


def test_each_communicator_has_its_buffers() -> None:
    device = find_device("H100 80GB")
    (one,), (three,) = (
        [row for row in overhead(device, ranks=8, communicators=count)
         if row.name == COMMUNICATION]
        for count in (1, 3)
    )  # fmt: skip
    assert three.expected_bytes == 3 * one.expected_bytes


def test_what_other_programs_hold_is_exact() -> None:
    busy = find_device("RTX 4090").model_copy(update={"used_bytes": 3 * GIB, "local": True})
    row = overhead(busy)[-1]
    assert row.name == OTHER_PROGRAMS
    assert row.low_bytes == row.expected_bytes == row.high_bytes == 3 * GIB


def test_a_measured_row_takes_the_catalogues_place() -> None:
    measured = OverheadRow(
        name=CONTEXT, low_bytes=1, expected_bytes=2, high_bytes=3, source="this card"
    )
    first, second = overhead(find_device("RTX 4090"), measured=[measured])
    assert first == measured
    assert second.name == KERNELS


def test_the_driver_keeps_some_of_what_nvidia_smi_shows() -> None:
    known = driver_reserve(find_device("H100 80GB"))
    assert known == (0, 0, 0), "torch’s own figure needs nothing taken off"
    small = driver_reserve(find_device("RTX 5060"))
    assert 100 * MIB < small.low_bytes < small.expected_bytes < small.high_bytes < 450 * MIB
    assert driver_reserve(find_device("B300")).high_bytes == 750 * MIB
    assert driver_reserve(find_device("MI325X")) == (0, 0, 0)


def test_the_line_is_what_a_thread_takes_and_something_fixed() -> None:
    difference = line_of("H100 80GB") - line_of("H100 PCIe 80GB")
    assert difference % (132 - 114) == 0
    assert 2 * KIB < difference / (132 - 114) / 2048 < 3 * KIB
