"""From allocated memory to what the device shows: reserved, beside it, and whether it fits."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from memplanner.estimate import Prediction, estimate
from memplanner.estimate.allocator import TrainingLoop, training_loop
from memplanner.estimate.workspaces import with_workspaces
from memplanner.hardware.overhead import overhead, total
from memplanner.messages.device import Device
from memplanner.messages.estimate import OverheadRow
from memplanner.messages.history import CalibrationRecord, Correction
from memplanner.tape.tape import OPTIMIZER_STATE, WORKSPACES
from memplanner.units import GIB, MIB
from tests.estimate.recordings import H100, planned, record_whole, tiny

CARD = Device(name="a card", kind="cuda", memory_bytes=80 * GIB, architecture="9.0")


def of(device: Device = CARD, **options: object) -> Prediction:
    return estimate(tiny("llama"), planned(2, 24, **options), device)


def sized(memory_bytes: int, used_bytes: int = 0) -> Prediction:
    return of(CARD.model_copy(update={"memory_bytes": memory_bytes, "used_bytes": used_bytes}))


def test_each_figure_holds_the_one_before() -> None:
    peak = of().peak
    assert peak.reserved_bytes is not None
    assert peak.device_low_bytes is not None
    assert peak.device_bytes is not None
    assert peak.device_high_bytes is not None
    assert peak.allocated_bytes <= peak.reserved_bytes < peak.device_low_bytes
    assert peak.device_low_bytes < peak.device_bytes < peak.device_high_bytes


def test_the_device_is_what_is_reserved_and_what_lies_beside() -> None:
    prediction = of()
    message = prediction.message()
    assert message.overhead == overhead(CARD)
    beside = total(message.overhead)
    assert message.peak.device_bytes == (message.peak.reserved_bytes or 0) + beside.expected_bytes


def test_fits_is_a_promise_for_the_high_end() -> None:
    peak = of().peak
    assert peak.device_bytes is not None
    assert peak.device_high_bytes is not None
    verdicts = [
        sized(memory).verdict
        for memory in (
            peak.device_high_bytes, peak.device_high_bytes - 1, peak.device_bytes,
            peak.device_bytes - 1,
        )
    ]  # fmt: skip
    assert verdicts == ["fits", "at_risk", "at_risk", "does_not_fit"]


def test_other_programs_take_from_what_there_is() -> None:
    alone, beside = sized(40 * GIB), sized(40 * GIB, used_bytes=3 * GIB)
    assert (alone.spare_bytes or 0) - (beside.spare_bytes or 0) == 3 * GIB
    assert beside.peak.device_bytes == (alone.peak.device_bytes or 0) + 3 * GIB
    assert beside.message().overhead[-1].name == "Other programs"


def test_a_cpu_has_no_allocator_of_its_own() -> None:
    prediction = of(Device(name="CPU", kind="cpu", memory_bytes=GIB))
    peak = prediction.peak
    assert (peak.reserved_bytes, peak.device_bytes) == (None, None)
    assert prediction.verdict == "fits"
    assert prediction.spare_bytes == GIB - peak.allocated_bytes


def test_of_a_device_that_nobody_measured_nothing_is_promised() -> None:
    prediction = of(Device(name="Apple", kind="mps", memory_bytes=64 * GIB))
    assert prediction.verdict == "at_risk"
    assert prediction.peak.device_bytes is None


def test_unknown_memory_has_figures_and_no_verdict() -> None:
    prediction = of(CARD.model_copy(update={"memory_bytes": None}))
    assert prediction.verdict is None
    assert (prediction.peak.device_bytes or 0) > 0


def test_products_keep_their_workspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    without = of().peak
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    peak = of().peak
    assert peak.by_category.workspaces - without.by_category.workspaces == 2 * 32 * MIB
    assert peak.allocated_bytes - without.allocated_bytes == 2 * 32 * MIB
    assert peak.by_category.total_bytes == peak.allocated_bytes
    layers = of().layers
    assert sum(row.workspaces_bytes for row in layers) == peak.by_category.workspaces


def test_a_standing_workspace_lifts_the_whole_curve() -> None:
    tape = record_whole(tiny("llama"), planned(2, 24), H100)
    lifted = with_workspaces(tape, (3000, 500))
    start = tape.phases[0].stop
    assert np.array_equal(lifted.curve_bytes[start + 2 :], tape.curve_bytes[start:] + 3500)
    assert lifted.phases[-1].stop == len(lifted.events)
    assert lifted.category[-2:].tolist() == [WORKSPACES] * 2
    assert lifted.without_scratch().size_bytes[-2:].tolist() == [3000, 500]


def test_where_a_run_would_end_is_said() -> None:
    reserved = of().peak.reserved_bytes or 0
    beside = total(overhead(CARD)).expected_bytes
    prediction = sized(reserved + beside - 2 * MIB)
    allocator = prediction.allocator
    assert allocator is not None
    assert allocator.fails is not None
    assert prediction.verdict == "does_not_fit"
    assert allocator.fails.requested_bytes > 0
    assert any(f"of step {allocator.fails.step + 1}" in note for note in prediction.notes)
    assert prediction.message().allocator == allocator


def test_the_allocators_figures_are_those_of_its_highest_moment() -> None:
    prediction = of()
    allocator = prediction.allocator
    assert allocator is not None
    assert allocator.fails is None
    assert allocator.segments * 2 * MIB <= (prediction.peak.reserved_bytes or 0)
    assert 0 < allocator.fragmentation < 1
    assert sized(0).allocator is not None, "no memory at all is no crash"


def test_settings_of_the_allocator_count(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = of().peak.reserved_bytes or 0
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    expandable = of().peak
    assert expandable.allocated_bytes <= (expandable.reserved_bytes or 0) <= plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:lots"),
        ("PYTORCH_CUDA_ALLOC_CONF", "backend:cudaMallocAsync"),
        ("CUBLAS_WORKSPACE_CONFIG", "much"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_a_note_and_the_rest_is_known(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = of()
    monkeypatch.setenv(name, value)
    prediction = of()
    (more,) = set(prediction.notes) - set(plain.notes)
    assert any(word in more for word in ("max_split_size_mb", "cudaMallocAsync", "CUBLAS"))
    assert (prediction.peak.reserved_bytes or 0) >= (plain.peak.reserved_bytes or 0)


def test_what_was_measured_takes_the_catalogues_place_and_raw_stays_raw() -> None:
    measured = OverheadRow(
        name="CUDA context", low_bytes=MIB, expected_bytes=2 * MIB, high_bytes=3 * MIB, source="x"
    )
    correction = Correction(factor=1.05, low=1.0, high=1.1, runs=2, comparisons=6, bounded=False)
    record = CalibrationRecord(
        at="2026-01-31T12:00:00+00:00", card="c", device_name="a card",
        overhead=(measured,), correction=correction,
    )  # fmt: skip
    plan = planned(2, 24)
    raw = estimate(tiny("llama"), plan, CARD).peak
    peak = estimate(tiny("llama"), plan, CARD, calibration=record).peak
    assert peak.reserved_bytes == raw.reserved_bytes
    assert raw.calibrated_bytes is None
    beside = total(overhead(CARD, measured=(measured,))).expected_bytes
    assert peak.device_bytes == (peak.reserved_bytes or 0) + beside
    assert peak.calibrated_bytes == round(1.05 * (peak.reserved_bytes or 0)) + beside


def test_reserved_by_phase_is_highest_where_the_peak_is() -> None:
    prediction = of()
    highest = prediction.reserved_by_phase()
    assert max(highest.values()) <= (prediction.peak.reserved_bytes or 0)
    assert {"forward", "backward", "optimizer_step"} <= highest.keys()


@pytest.mark.parametrize("name", ["adagrad", "adamw"])
def test_adagrads_state_is_there_before_the_first_step(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("memplanner.estimate.on_device")
    loops: list[TrainingLoop] = []

    def kept(*args: Any, **options: Any) -> TrainingLoop:
        loops.append(training_loop(*args, **options))
        return loops[-1]

    monkeypatch.setattr(module, "training_loop", kept)
    prediction = of(optimizer__name=name)
    assert (prediction.peak.reserved_bytes or 0) > 0
    there = set(loops[0].setup.tolist())
    states = np.flatnonzero(prediction._whole.category == OPTIMIZER_STATE) + 1
    on_card = [state for state in states.tolist() if prediction._whole.size_bytes[state - 1]]
    assert on_card
    assert there.issuperset(on_card) is (name == "adagrad")
