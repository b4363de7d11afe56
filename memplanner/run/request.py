"""What the parent tells the worker, and how the worker answers: lines of JSON on its own channel."""

from __future__ import annotations

from pydantic import TypeAdapter

from memplanner.messages.base import Message
from memplanner.messages.device import Device
from memplanner.messages.run import RunEvent, RunFigures
from memplanner.plan import Plan

STOP_AFTER_STEP = "stop after step"
STOP_NOW = "stop now"
"""Lines that the worker understands after its request."""


class RunRequest(Message):
    """One run: the model is opened again from its source, in the worker."""

    source: str
    inputs: tuple[str, ...]
    trust_code: bool
    plan: Plan
    device: Device
    steps: int
    data: str | None
    predicted: RunFigures


read_event: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)
