"""How long a step takes: laws of the estimate, and what timed steps make of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.estimate import estimate
from memplanner.estimate.recorder import Recorder
from memplanner.estimate.step_time import NAMES, evaluated, known_rates, seconds_at
from memplanner.estimate.step_time_measured import Timed
from memplanner.estimate.step_time_message import step_time
from memplanner.estimate.step_work import at_one_point
from memplanner.hardware import find_device
from memplanner.hardware.rates import rates_of
from memplanner.messages.cost import StepTime
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord, Judgement, TimedStep
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.techniques.target import Target
from tests.estimate.recordings import H100, planned, tiny

CARD = find_device("H100 80GB")
LLAMA = tiny("llama")
RECORDS = Recorder(LLAMA)
LARGE = load("preset:llama-3.2-1b")


def parts(plan: Plan, device: Device = CARD, records: Recorder = RECORDS) -> dict[str, float]:
    rates = rates_of(device)
    assert rates is not None
    made = evaluated(records, plan, device, [records.point(plan)], rates)
    assert made is not None
    return dict(zip(NAMES, made.parts[:, 0].tolist(), strict=True))


def time_of(plan: Plan, device: Device = CARD, timed: Timed | None = None) -> StepTime:
    found = step_time(RECORDS, plan, device, timed)
    assert found is not None
    return found


def large(**values: Any) -> tuple[Recorder, Plan]:
    """A model whose kernels are longer than their starts."""
    plan = planned(4, 1024, precision="bf16", **values)
    return Recorder(LARGE), plan


@pytest.mark.parametrize(
    ("name", "values", "points"),
    [
        ("llama", {"precision": "bf16_mixed"}, [(2, 40), (5, 100), (3, 333)]),
        ("gpt2", {"attention__kernel": "eager"}, [(2, 17), (7, 64)]),
        ("bert", {"training__gradient_accumulation_steps": 2}, [(2, 40), (4, 81)]),
        ("t5", {"activation_checkpointing__policy": "full"}, [(2, 48), (4, 96)]),
        ("mixtral", {}, [(2, 40), (6, 72)]),
    ],
)
def test_work_at_a_point_is_that_of_a_recording_there(
    name: str, values: dict[str, Any], points: list[tuple[int, int]]
) -> None:
    model = tiny(name, **({"n_positions": 4096} if name == "gpt2" else {}))
    records = Recorder(model)
    plan = planned(3, 24, **values)
    found = records.work_at(plan, H100, [(3, 24), *points])
    for table, places in found:
        assert table.exact
        for place in places:
            point = [(3, 24), *points][place]
            recorded = Recorder(model).tape(at(plan, point), H100)[0].work
            own = at_one_point(recorded)
            for ours, theirs in ((table.flops, own.flops), (table.moved_bytes, own.moved_bytes)):
                kinds = np.bincount(table.kind, table.count * (ours @ table.values([point]))[:, 0])
                there = np.bincount(own.kind, own.count * theirs.sum(axis=1))
                np.testing.assert_allclose(kinds, there, rtol=1e-12)


def at(plan: Plan, point: tuple[int, int]) -> Plan:
    return plan.with_values({"training.batch_size": point[0], "training.sequence_length": point[1]})


def test_many_points_at_once_are_each_alone() -> None:
    plan = planned(2, 24)
    points = [(1, 24), (2, 24), (2, 100), (4, 31), (9, 1024)]
    together = seconds_at(RECORDS, plan, CARD, points)
    assert together is not None
    alone = [sum(parts(at(plan, point)).values()) for point in points]
    np.testing.assert_allclose(together, alone)


@given(batch=st.integers(1, 64), length=st.integers(32, 4096))
def test_more_samples_or_tokens_never_take_less_time(batch: int, length: int) -> None:
    points = [(batch, length), (batch + 1, length), (batch, length + 1)]
    found = seconds_at(RECORDS, planned(2, 24), CARD, points)
    assert found is not None
    here, more, longer = found
    assert here <= more * (1 + 1e-12)
    assert here <= longer * (1 + 1e-12)


def test_every_micro_batch_more_takes_the_same() -> None:
    times = [
        sum(parts(planned(training__gradient_accumulation_steps=count)).values())
        for count in (2, 3, 7)
    ]
    assert times[2] - times[0] == pytest.approx(5 * (times[1] - times[0]))


def test_the_parts_add_up_and_are_told_with_a_range() -> None:
    told = time_of(planned(precision="bf16_mixed"))
    assert sum(part.seconds for part in told.parts) == pytest.approx(told.seconds)
    assert told.low_seconds < told.seconds < told.high_seconds
    assert told.source == "data_sheet"
    assert told.unit == "tokens"
    assert told.units == 2 * 12
    assert told.energy_joules == pytest.approx(700 * told.seconds)


def test_small_kernels_wait_for_their_starts() -> None:
    plan = planned()
    assert parts(plan)["launches"] > sum(parts(plan).values()) / 2
    records, busy = large()
    assert parts(busy, records=records)["launches"] < 1e-3


@pytest.mark.slow
def test_recomputation_offloading_and_updates_show_in_their_parts() -> None:
    records, plan = large()
    plain = parts(plan, records=records)
    again = parts(large(activation_checkpointing__policy="full")[1], records=records)
    away = parts(large(activation_offload__to="host")[1], records=records)
    on_host = parts(large(offload__optimizer="host")[1], records=records)
    assert plain["recomputation"] == plain["host_transfers"] == 0
    forward = (plain["products"] + plain["attention"] + plain["other_kernels"]) / 3
    assert 0.5 * forward < again["recomputation"] < 1.2 * forward
    assert away["host_transfers"] > 0.1 * plain["products"]
    assert on_host["optimizer"] > plain["optimizer"]


@pytest.mark.slow
def test_shards_are_gathered_behind_computing_unless_the_link_is_slow() -> None:
    records, plan = large(sharding__cards_per_node=4, sharding__data="zero_3")
    assert parts(plan, records=records)["communication"] == 0
    slow = plan.with_values({"sharding.card_link": 1.0})
    assert parts(slow, records=records)["communication"] > 0


def test_other_ranks_of_a_tensor_parallel_step_are_waited_for() -> None:
    plan = planned(4, 16, sharding__cards_per_node=2, sharding__tensor=2)
    records = Recorder(tiny("llama", num_key_value_heads=2))
    assert parts(plan, records=records)["communication"] > 0


def test_what_goes_over_unknown_links_is_said_to_be_left_out() -> None:
    plan = planned(4, 16, sharding__nodes=2, sharding__data="zero_3")
    assert "set sharding.node_link" in time_of(plan).how
    known = plan.with_values({"sharding.node_link": 25.0})
    assert "not in it" not in time_of(known).how
    assert time_of(known).seconds >= time_of(plan).seconds


def test_a_generation_takes_longer_with_every_token() -> None:
    def seconds(tokens: int) -> float:
        plan = planned(inference__use="generation", inference__new_tokens=tokens)
        return sum(parts(plan).values())

    few, more, most = seconds(4), seconds(12), seconds(28)
    assert few < more < most
    assert (most - more) / 16 == pytest.approx((more - few) / 8, rel=0.05)


@pytest.mark.parametrize("name", ["cpu", "H100 80GB MIG 1g.10gb"])
def test_a_device_of_unknown_rates_has_no_time(name: str) -> None:
    device = find_device(name)
    assert known_rates(device) is None
    assert estimate(LLAMA, planned(), device).time is None


STEP = TimedStep(model=LLAMA.name, plan=planned(), seconds=0.5, estimated_seconds=0.25)
ANOTHER = TimedStep(model=LLAMA.name, plan=planned(4), seconds=0.6, estimated_seconds=0.25)


def test_timed_steps_of_the_very_plan_take_the_estimates_place() -> None:
    told = time_of(planned(), timed=Timed((STEP, STEP.model_copy(update={"seconds": 0.6}))))
    assert told.seconds == 0.55
    assert told.source == "measured"
    assert sum(part.seconds for part in told.parts) == pytest.approx(0.55)


def test_timed_steps_of_other_plans_scale_the_estimate() -> None:
    plain, scaled = time_of(planned(8)), time_of(planned(8), timed=Timed((STEP, ANOTHER)))
    assert scaled.source == "calibrated"
    assert scaled.seconds == pytest.approx(2.2 * plain.seconds)
    assert scaled.low_seconds == pytest.approx(0.85 * scaled.seconds)
    one = time_of(planned(8), timed=Timed((STEP,)))
    assert one.low_seconds / one.seconds < scaled.low_seconds / scaled.seconds


def test_what_a_calibration_knows_reaches_the_estimate() -> None:
    known = CalibrationRecord(
        at="2026-01-01T00:00:00+00:00",
        card="a card",
        device_name=CARD.name,
        timed=(STEP,),
        judged=(Judgement(model=LLAMA.name, plan=planned(), perplexity_ratio=1.1),),
    )
    made = estimate(LLAMA, planned(), CARD, calibration=known).message()
    assert made.time is not None
    assert made.time.seconds == 0.5
    assert made.quality is not None
    assert made.quality.measured == 1.1
    other = estimate(LLAMA, planned(precision="bf16"), CARD, calibration=known)
    assert other.quality.measured is None


def test_no_work_is_recorded_twice_for_the_same_blocks() -> None:
    table = Recorder(LLAMA).work_at(planned(), Target("cuda", (9, 0)), [(2, 12)])[0][0]
    assert len(table) < 150
    assert table.count.max() >= 6
