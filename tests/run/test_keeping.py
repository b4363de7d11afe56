"""What a run leaves in the history, and what a card's runs make of its calibration."""

from __future__ import annotations

from pathlib import Path

import pytest

import memplanner as mp
from memplanner.errors import DeviceError
from memplanner.estimate import Prediction, estimate
from memplanner.history import History, default_path
from memplanner.messages.device import Device
from memplanner.messages.estimate import Phase
from memplanner.messages.run import RunResult
from memplanner.run.calibrate import calibrate
from memplanner.run.keeping import keep, known_calibration
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


def test_a_run_that_was_not_measured_is_not_kept(prediction: Prediction, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite3"
    assert keep(prediction, result(prediction, measured=None), {}, file) == ""
    assert not file.exists()


def test_two_runs_of_a_card_correct_its_next_estimate(
    prediction: Prediction, tmp_path: Path
) -> None:
    file = tmp_path / "history.sqlite3"
    for _ in range(2):
        assert known_calibration(CARD, file) == (None, "")
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


def test_a_damaged_history_is_a_sentence_and_no_end(prediction: Prediction, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite3"
    file.write_bytes(b"no database" * 100)
    assert "damaged" in keep(prediction, result(prediction), {}, file)
    assert "damaged" in known_calibration(CARD, file)[1]


def test_only_a_card_of_this_machine_is_calibrated(tmp_path: Path) -> None:
    model = mp.load(str(write_recipe(tmp_path)))
    with pytest.raises(DeviceError, match="only on a CUDA card"):
        calibrate(model, Device(name="CPU", kind="cpu", memory_bytes=GIB, local=True))
