"""Calibration: what a card of this machine really holds, and how far predictions are off on it.

The context is measured by itself; then two short runs of different shape are held against their
predictions, phase by phase, and the history fits the correction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from memplanner.errors import RunError
from memplanner.hardware import card_identity
from memplanner.hardware.measurement import measure_overhead
from memplanner.history import History
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.run import RunEvent
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.process import apply
from memplanner.run.stopping import StopSignal

STEPS = 3
SHAPES = ((1, 512), (4, 256))
"""Batch and sequence of the runs: one run cannot tell what is the card's from what is a plan's."""


def calibrate(
    model: Model,
    device: Device,
    *,
    on_event: Callable[[RunEvent], None] | None = None,
    stop: StopSignal | None = None,
    path: Path | None = None,
) -> CalibrationRecord:
    """Measures ``device`` and runs ``model`` on it; the calibration that is kept from now on.

    Raises ``DeviceError`` where it is no CUDA card of this machine, ``RunError`` where a run does
    not end, ``HistoryError`` where nothing can be kept.
    """
    measured = measure_overhead(device)
    card = card_identity(device)
    with History(path) as history:
        known = history.calibration(card)
        history.add_calibration(
            CalibrationRecord(
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                card=card,
                device_name=device.name,
                torch=measured.torch,
                driver=measured.driver,
                overhead=measured.rows,
                correction=None if known is None else known.correction,
            )
        )
    for batch_size, sequence_length in SHAPES:
        plan = Plan().with_values(
            {
                "precision": "bf16",
                "training.batch_size": batch_size,
                "training.sequence_length": sequence_length,
            }
        )
        result = apply(model, plan, device, steps=STEPS, on_event=on_event, stop=stop, history=path)
        if result.outcome != "finished":
            raise RunError(f"The calibration of {device.name} ended early: {result.sentence}")
    with History(path) as history:
        latest = history.calibration(card)
    assert latest is not None
    return latest
