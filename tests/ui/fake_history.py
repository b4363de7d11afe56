"""Past runs for the small engine, and for tests that need none."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.messages.estimate import Categories
from memplanner.messages.history import KeptRun
from memplanner.messages.run import RunFigures
from memplanner.plan import Plan
from memplanner.units import GIB

CPU = Device(name="CPU", kind="cpu", memory_bytes=16 * GIB, local=True)
CARD = Device(name="H100 80GB", kind="cuda", memory_bytes=80 * GIB, index=0, local=True)

MODEL = "llama-3.1-8b"
COUNT = "MEMPLANNER_FAKE_RUNS"
"""An environment variable: how many past runs there are."""
BEGIN = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_ERRORS = (0.004, -0.011, 0.0, 0.034, 0.008, -0.002, -0.041, 0.013)
_CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"adapters.method": "lora"},
    {"training.batch_size": 4},
    {"activation_checkpointing.policy": "full", "training.batch_size": 2},
)


def kept_run(number: int, error: float = 0.01, **changed: Any) -> KeptRun:
    """A run on the CPU whose prediction was off by ``error``; later for a larger number."""
    measured = (4 + number % 3) * GIB
    facts: dict[str, Any] = {
        "id": number,
        "at": (BEGIN + timedelta(hours=7 * number)).isoformat(timespec="seconds"),
        "model": MODEL,
        "plan": Plan().with_values(_CHANGES[number % len(_CHANGES)]),
        "device": CPU,
        "card": CPU.name,
        "torch": "2.13.0",
        "predicted": figures(round(measured * (1 + error))),
        "measured": figures(measured),
        "error": error,
        "method": "recorded on meta tensors",
        "step_seconds": 0.48,
        "estimated_seconds": 0.41,
        "outcome": "finished",
    }
    return KeptRun(**{**facts, **changed})


def figures(peak_bytes: int) -> RunFigures:
    phases = {"forward": peak_bytes // 2, "backward": peak_bytes}
    return RunFigures(
        allocated_bytes=peak_bytes,
        phase="backward",
        by_category=Categories(parameters=peak_bytes),
        by_phase=phases,
    )


def past_runs(request: protocol.ListRuns, applied: int) -> protocol.Runs:
    """As many as the environment says, and those applied since.

    Every fifth was on the card, every sixth of another model, every eleventh cut short.
    """
    count = int(os.environ.get(COUNT, "0")) + applied
    made = []
    for number in range(count, 0, -1):
        device: Device = CARD if number % 5 == 0 else CPU
        made.append(
            kept_run(
                number,
                _ERRORS[number % len(_ERRORS)],
                device=device,
                card=device.name,
                model="Qwen3-1.7B" if number % 6 == 0 else MODEL,
                outcome="out_of_memory" if number % 11 == 0 else "finished",
            )
        )
    return protocol.Runs(
        id=request.id,
        runs=tuple(made),
        total=count,
        unreadable=0,
        cards={"cpu": CPU.name},
    )
