"""Finished runs go into the history, and a card's runs into its calibration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from memplanner.errors import HistoryError
from memplanner.estimate import Prediction
from memplanner.hardware import card_identity
from memplanner.hardware.nvml import driver_version
from memplanner.history import History, default_path, fit
from memplanner.history.steps import judgements, perplexity_ratio, steady_seconds, timed_steps
from memplanner.messages.device import Device
from memplanner.messages.estimate import Phase
from memplanner.messages.history import CalibrationRecord, RunRecord
from memplanner.messages.run import RunResult


def known_calibration(
    device: Device, path: Path | None = None
) -> tuple[CalibrationRecord | None, str]:
    """What is known of ``device``, and a sentence on what went wrong with the file, or none.

    Only a device of this machine has any: the latest calibration of a card, and of every device
    what its runs took. A history that cannot be read must not stop an estimate.
    """
    file = default_path() if path is None else path
    if not device.local or not file.exists():
        return None, ""
    card = card_identity(device)
    try:
        with History(file) as history:
            known = history.calibration(card)
            runs = history.runs(card=card)
            notice = history.notice
    except HistoryError as error:
        return None, str(error)
    timed, judged = timed_steps(runs), judgements(runs)
    if known is None and not timed and not judged:
        return None, notice
    blank = CalibrationRecord(at=_now(), card=card, device_name=device.name)
    return (known or blank).model_copy(update={"timed": timed, "judged": judged}), notice


def keep(
    prediction: Prediction,
    result: RunResult,
    reserved_by_phase: Mapping[Phase, int],
    path: Path | None = None,
) -> str:
    """Adds a measured run to the history; an empty sentence, or what went wrong.

    A run of a card also renews the card's correction, once there are enough of them.
    """
    if result.measured is None:
        return ""
    device = result.device
    card = card_identity(device)
    try:
        with History(path) as history:
            history.add_run(
                RunRecord(
                    at=_now(),
                    model=result.model.name,
                    plan=result.plan,
                    device=device,
                    card=card,
                    torch=_installed("torch"),
                    driver=driver_version() if device.kind == "cuda" else None,
                    predicted=result.predicted,
                    measured=result.measured,
                    predicted_reserved_by_phase=prediction.reserved_by_phase(),
                    measured_reserved_by_phase=dict(reserved_by_phase),
                    method=prediction.method,
                    step_seconds=steady_seconds(result.step_seconds),
                    estimated_seconds=prediction.stated_seconds,
                    perplexity_ratio=perplexity_ratio(result.quality),
                    outcome=result.outcome,
                )
            )
            if device.kind != "cpu":
                _calibrate(history, result, card)
            return history.notice
    except HistoryError as error:
        return str(error)


def _calibrate(history: History, result: RunResult, card: str) -> None:
    correction = fit(history.runs(card=card))
    if correction is None:
        return
    before = history.calibration(card)
    history.add_calibration(
        CalibrationRecord(
            at=_now(),
            card=card,
            device_name=result.device.name,
            torch=_installed("torch"),
            driver=driver_version(),
            overhead=() if before is None else before.overhead,
            correction=correction,
        )
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
