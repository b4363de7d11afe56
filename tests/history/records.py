"""Runs as the history keeps them, made up."""

from __future__ import annotations

from typing import Any

from memplanner.messages.device import Device
from memplanner.messages.estimate import Categories
from memplanner.messages.history import CalibrationRecord, RunRecord
from memplanner.messages.run import RunFigures
from memplanner.plan import Plan
from memplanner.units import GIB

CARD = Device(name="NVIDIA L4", kind="cuda", memory_bytes=22 * GIB, index=0, local=True)


def figures(forward: int, backward: int, reserved: int | None = None) -> RunFigures:
    return RunFigures(
        allocated_bytes=max(forward, backward),
        reserved_bytes=reserved,
        phase="backward",
        by_category=Categories(parameters=forward),
        by_phase={"forward": forward, "backward": backward},
    )


def run(at: str = "2026-01-01T00:00:00+00:00", **changed: Any) -> RunRecord:
    facts: dict[str, Any] = {
        "at": at, "model": "Llama-3.2-1B", "plan": Plan(), "device": CARD, "card": "card a",
        "torch": "2.13.0", "driver": "580.1", "predicted": figures(100, 200),
        "measured": figures(100, 210), "method": "recorded",
    }  # fmt: skip
    return RunRecord(**{**facts, **changed})


def calibration(at: str = "2026-01-01T00:00:00+00:00", **changed: Any) -> CalibrationRecord:
    facts: dict[str, Any] = {"at": at, "card": "card a", "device_name": CARD.name}
    return CalibrationRecord(**{**facts, **changed})
