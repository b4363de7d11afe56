"""What the parent tells the worker, and how the worker answers: lines of JSON."""

from __future__ import annotations

from pydantic import TypeAdapter

from memplanner.messages.base import Message
from memplanner.messages.device import Device
from memplanner.messages.estimate import ModelInfo
from memplanner.messages.run import RankRun, RunEvent, RunFigures
from memplanner.plan import Plan

STOP_AFTER_STEP = "stop after step"
STOP_NOW = "stop now"
"""Lines that the worker understands after its request. The end of its input means ``STOP_NOW``."""

GRACE_SECONDS = 10.0
"""A worker that was told to stop at once, or has sent its result, is gone within this time."""


class RunRequest(Message):
    """One run: the model is opened again from its source, in the worker."""

    source: str
    inputs: tuple[str, ...]
    trust_code: bool
    model: ModelInfo
    """The model as the prediction names it; results repeat it, even where it cannot be opened."""
    plan: Plan
    device: Device
    steps: int
    data: str | None
    quality: bool = True
    """Whether compression of real weights is judged."""
    save: str | None = None
    """Where the compressed model goes."""
    predicted: RunFigures
    """Over several cards that of the fullest rank."""
    ranks: tuple[RankRun, ...] = ()
    """What is predicted of each rank, over several cards."""


read_event: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)
