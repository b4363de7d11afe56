"""What a run leaves in the history, and what a card's runs make of its calibration."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import memplanner as mp
from memplanner.errors import DeviceError, RunError
from memplanner.estimate import Prediction, estimate
from memplanner.hardware import card_identity, find_device
from memplanner.hardware.measurement import MeasuredOverhead
from memplanner.history import History, default_path
from memplanner.messages.device import Device
from memplanner.messages.estimate import OverheadRow, Phase
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.run import RunResult, RunSample
from memplanner.run.calibrate import calibrate
from memplanner.run.ending import Followed
from memplanner.run.keeping import keep, known_calibration
from memplanner.run.request import RunRequest
from memplanner.units import GIB
from tests.run.recipes import write_recipe

CARD = Device(
    name="a card", kind="cuda", memory_bytes=24 * GIB, architecture="8.6", index=0, local=True
)


@pytest.fixture
def prediction(tmp_path: Path) -> Prediction:
    return estimate(mp.load(str(write_recipe(tmp_path))), mp.Plan(), CARD)


def result(prediction: Prediction, *, measured: float | None = 1.0) -> RunResult:
    """A finished run whose measured figures are ``measured`` times the predicted ones."""
    predicted = prediction.figures()
    own = None
    if measured is not None:
        own = predicted.model_copy(
            update={"reserved_bytes": round(measured * (predicted.reserved_bytes or 0))}
        )
    return RunResult(
        outcome="finished", sentence="It ended.", model=prediction.model, device=CARD,
        plan=prediction.plan, predicted=predicted, measured=own, error=0.0, steps=2,
        losses=(1.0, 1.0), step_seconds=(0.1, 0.1), seconds=1.0,
    )  # fmt: skip


def phases(prediction: Prediction, factor: float) -> dict[Phase, int]:
    return {phase: round(factor * size) for phase, size in prediction.reserved_by_phase().items()}


def test_a_real_run_is_kept_in_the_users_history(tmp_path: Path) -> None:
    model = mp.load(str(write_recipe(tmp_path)))
    ended = mp.apply(model, mp.Plan(), "cpu", steps=2)
    with History(default_path()) as history:
        kept = history.runs(model=model.name, limit=1)[0]
    assert kept.measured == ended.measured
    assert kept.predicted == ended.predicted
    assert kept.device == ended.device
    assert kept.torch is not None
    assert kept.outcome == "finished"


def test_a_run_that_was_not_measured_is_not_kept(prediction: Prediction, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite3"
    assert keep(prediction, result(prediction, measured=None), {}, file) == ""
    assert not file.exists()


def test_two_runs_of_a_card_correct_its_next_estimate(
    prediction: Prediction, tmp_path: Path
) -> None:
    file = tmp_path / "history.sqlite3"
    for _ in range(2):
        known, trouble = known_calibration(CARD, file)
        assert trouble == ""
        assert known is None or known.correction is None
        assert keep(prediction, result(prediction), phases(prediction, 1.04), file) == ""
    record, trouble = known_calibration(CARD, file)
    assert trouble == ""
    assert record is not None
    assert record.correction is not None
    assert record.correction.factor == pytest.approx(1.04, abs=1e-3)
    peak = prediction.peak
    corrected = estimate(
        mp.load(prediction.model.source), prediction.plan, CARD, calibration=record
    ).peak
    assert corrected.reserved_bytes == peak.reserved_bytes
    assert (corrected.calibrated_bytes or 0) > (corrected.device_bytes or 0)


def test_a_new_correction_leaves_what_was_measured_beside_the_allocator(
    prediction: Prediction, tmp_path: Path
) -> None:
    file = tmp_path / "history.sqlite3"
    row = OverheadRow(
        name="context", low_bytes=1, expected_bytes=2, high_bytes=3, source="measured"
    )
    with History(file) as history:
        history.add_calibration(
            CalibrationRecord(
                at="2026-01-01T00:00:00+00:00",
                card=card_identity(CARD),
                device_name=CARD.name,
                overhead=(row,),
            )
        )
    for _ in range(2):
        assert keep(prediction, result(prediction), phases(prediction, 1.04), file) == ""
    record, _ = known_calibration(CARD, file)
    assert record is not None
    assert record.correction is not None
    assert record.overhead == (row,)


def test_a_damaged_history_is_a_sentence_and_no_end(prediction: Prediction, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite3"
    file.write_bytes(b"no database" * 100)
    assert "damaged" in keep(prediction, result(prediction), {}, file)
    assert "damaged" in known_calibration(CARD, file)[1]


def test_only_a_card_of_this_machine_is_calibrated(tmp_path: Path) -> None:
    model = mp.load(str(write_recipe(tmp_path)))
    with pytest.raises(DeviceError, match="only on a CUDA card"):
        calibrate(model, Device(name="CPU", kind="cpu", memory_bytes=GIB, local=True))


def test_the_highest_reserved_of_each_phase_is_kept(prediction: Prediction) -> None:
    followed = Followed(
        RunRequest(
            source="x", inputs=(), trust_code=False, model=prediction.model, plan=prediction.plan,
            device=CARD, steps=1, data=None, predicted=prediction.figures(),
        )
    )  # fmt: skip
    for phase, reserved in (("forward", 5), ("forward", 3), ("backward", 7), ("forward", None)):
        followed.note(
            RunSample.model_validate(
                {
                    "seconds": 0.0, "allocated_bytes": 1, "highest_bytes": 1,
                    "reserved_bytes": reserved, "device_bytes": None, "phase": phase,
                    "step": 1, "micro_batch": 0,
                }
            )
        )  # fmt: skip
    assert followed.reserved_by_phase == {"forward": 5, "backward": 7}


CALIBRATION: Any = import_module("memplanner.run.calibrate")  # its name is a function's too


@pytest.fixture
def measured_card(prediction: Prediction, monkeypatch: pytest.MonkeyPatch) -> OverheadRow:
    """The card answers as if it were here: its context measured, its runs 4 % above."""
    row = OverheadRow(
        name="CUDA context", low_bytes=1, expected_bytes=2, high_bytes=3, source="measured"
    )
    answer = MeasuredOverhead((row,), torch="2", cuda="13", driver="580")
    monkeypatch.setattr(CALIBRATION, "measure_overhead", lambda device: answer)

    def run(*_: Any, history: Path, **__: Any) -> RunResult:
        ended = result(prediction)
        assert keep(prediction, ended, phases(prediction, 1.04), history) == ""
        return ended

    monkeypatch.setattr(CALIBRATION, "apply", run)
    return row


def test_a_calibration_holds_the_context_and_what_two_runs_ask_for(
    prediction: Prediction, measured_card: OverheadRow, tmp_path: Path
) -> None:
    file = tmp_path / "history.sqlite3"
    record = calibrate(mp.load(prediction.model.source), CARD, path=file)
    assert record.overhead == (measured_card,)
    assert record.correction is not None
    assert record.correction.runs == 2
    known, trouble = known_calibration(CARD, file)
    assert trouble == ""
    assert known is not None
    assert len(known.timed) == 2
    assert known.model_copy(update={"timed": ()}) == record


def test_a_calibration_whose_run_ends_early_says_so_and_keeps_the_context(
    prediction: Prediction,
    measured_card: OverheadRow,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    failed = result(prediction).model_copy(
        update={"outcome": "failed", "sentence": "The card fell off."}
    )
    monkeypatch.setattr(CALIBRATION, "apply", lambda *_, **__: failed)
    file = tmp_path / "history.sqlite3"
    with pytest.raises(RunError, match=r"ended early: The card fell off\."):
        calibrate(mp.load(prediction.model.source), CARD, path=file)
    record, _ = known_calibration(CARD, file)
    assert record is not None
    assert (record.overhead, record.correction) == ((measured_card,), None)


def test_timed_steps_of_the_cpu_make_and_correct_its_estimates(tmp_path: Path) -> None:
    model = mp.load(str(write_recipe(tmp_path)))
    plan = mp.Plan().with_values({"training.batch_size": 3})  # which no other test runs
    larger = plan.with_values({"training.batch_size": 5})
    assert estimate(model, plan, "cpu").time is None
    ended = mp.apply(model, plan, "cpu", steps=4)
    known, trouble = known_calibration(find_device("cpu"))
    assert trouble == ""
    assert known is not None
    own = estimate(model, plan, "cpu", calibration=known).time
    assert own is not None
    assert own.source == "measured"
    assert own.seconds == pytest.approx(median(ended.step_seconds[1:]))
    other = estimate(model, larger, "cpu", calibration=known).time
    assert other is not None
    assert other.source == "calibrated"
    assert other.low_seconds < other.seconds < other.high_seconds
