"""What is kept of runs, and what was learned from them."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_serializer

from memplanner.messages.base import Message
from memplanner.messages.device import Device
from memplanner.messages.estimate import OverheadRow, Phase
from memplanner.messages.run import Outcome, RunFigures
from memplanner.plan import Plan


class RunRecord(Message):
    """A finished run: predicted against measured, and with what it was measured."""

    at: str
    """When it ended, in UTC: ``2026-01-31T12:00:00+00:00``."""
    model: str
    plan: Plan
    device: Device
    card: str
    """What tells the card from others: a hash of its UUID, or else the device's name."""
    torch: str | None = None
    driver: str | None = None
    predicted: RunFigures
    measured: RunFigures
    predicted_reserved_by_phase: dict[Phase, int] = Field(default_factory=dict)
    measured_reserved_by_phase: dict[Phase, int] = Field(default_factory=dict)
    """The highest that the allocator had reserved in each phase, where it was sampled."""
    method: str = ""
    """How the prediction was made, as ``Estimate.method`` says it."""
    step_seconds: float | None = None
    """The median of the steps after the first; None in a run of one step."""
    estimated_seconds: float | None = None
    """A step's time by the card's data sheet alone; of a CPU by stand-ins for one."""
    perplexity_ratio: float | None = None
    """Of a run that judged compression: the perplexity after it over the one before."""
    outcome: Outcome | None = None
    """How it ended; None in what was kept before this was."""


class KeptRun(RunRecord):
    """A run as the history lists it: without the curves of its figures.

    Its JSON has of the plan only what differs from the defaults, as a plan's file may: there are
    hundreds of runs in a reply, and reading a plan's every key takes most of the time.
    """

    id: int
    """Its number in the history's file."""
    error: float | None
    """(predicted − measured) / measured of the allocated peak."""

    @property
    def whole(self) -> bool:
        """Whether its steps came to their end, so that its peak is that of a whole step."""
        return self.outcome in (None, "finished", "stopped")

    @field_serializer("plan")
    def _shortly(self, plan: Plan) -> dict[str, Any]:
        return plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class Correction(Message):
    """A bounded factor between what was predicted and what a card's runs showed."""

    factor: float = Field(gt=0)
    """Measured over predicted: the median of the runs' medians."""
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    """The least and the greatest ratio of any phase, within the bound as well."""
    runs: int
    comparisons: int
    bounded: bool
    """Whether the runs asked for more than the bound allows: then something is not modelled."""

    def applied(self, size_bytes: int) -> int:
        """``size_bytes`` corrected, a figure of its own beside the raw one."""
        return round(size_bytes * self.factor)


class TimedStep(Message):
    """How long the steps of a plan took on a card."""

    model: str
    plan: Plan
    seconds: float = Field(gt=0)
    """The median of the steps after the first."""
    estimated_seconds: float
    """By the card's data sheet alone; of a CPU by stand-ins for one."""


class Judgement(Message):
    """What a run found compression to cost."""

    model: str
    plan: Plan
    perplexity_ratio: float
    """The perplexity after compression over the one before."""


class CalibrationRecord(Message):
    """What was learned of one card; the latest counts."""

    at: str
    card: str
    device_name: str
    torch: str | None = None
    driver: str | None = None
    overhead: tuple[OverheadRow, ...] = ()
    """Measured rows, in place of the catalogue's."""
    correction: Correction | None = None
    timed: tuple[TimedStep, ...] = ()
    """The latest first. They are the runs', put beside the rest when it is read."""
    judged: tuple[Judgement, ...] = ()
    """The same of runs that judged a compressed model."""
