"""What a plan costs beside memory: time, and a risk to quality."""

from __future__ import annotations

from typing import Literal

from memplanner.messages.base import Message

QualityRisk = Literal["same_result", "small_change", "check_quality"]
"""``same_result``: the same gradients but for rounding in another order; ``small_change``: other
rounding, or an optimizer that keeps its state in fewer bits; ``check_quality``: another model or
fewer trained parameters, to be judged on the user's own task."""
RISKS: tuple[QualityRisk, ...] = ("same_result", "small_change", "check_quality")
"""From the least to the greatest."""
TimeSource = Literal["data_sheet", "calibrated", "measured"]
"""``calibrated``: corrected by steps that were timed on this very card."""


class TimePart(Message):
    """A part of a step's time; the parts of a step add up to it."""

    name: Literal[
        "products", "attention", "other_kernels", "recomputation", "optimizer",
        "host_transfers", "communication", "launches",
    ]  # fmt: skip
    """``other_kernels`` wait for memory; ``recomputation`` is what backward does again, whatever
    its kernels; ``communication`` and ``host_transfers`` are what is not hidden by computing."""
    seconds: float


class StepTime(Message):
    """How long an optimizer step takes (of generation: a round of it): an estimate with a range."""

    seconds: float
    low_seconds: float
    high_seconds: float
    unit: Literal["tokens", "samples"]
    units: int
    """Tokens or samples of a step, over all cards."""
    flops: int
    """Floating-point operations of a step on this card, recomputation included."""
    moved_bytes: int
    """What kernels read and write of this card's memory in a step."""
    parts: tuple[TimePart, ...]
    source: TimeSource
    how: str
    """Where the rates come from, in a sentence."""
    energy_joules: float | None = None
    """Of all cards at their power limit for the step; None where that is not known."""

    @property
    def per_second(self) -> float:
        """Tokens or samples in a second."""
        return self.units / self.seconds


class QualityReason(Message):
    """One of the things in a plan that changes what is learned."""

    section: str
    """The plan's section, or ``precision``."""
    risk: QualityRisk
    sentence: str


class Quality(Message):
    """The risk that a plan takes with what is learned."""

    risk: QualityRisk
    reasons: tuple[QualityReason, ...] = ()
    """Empty where the result is the same."""
    measured: float | None = None
    """The perplexity after compression over the one before, where a run judged this very choice."""
