"""What the engine predicts for the rows, and how far that is from what was measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, Protocol

import memplanner
from benchmarks.reference.rows import Row
from memplanner.plan import Plan

ALLOCATOR = "PYTORCH_CUDA_ALLOC_CONF"
"""Where torch's allocator reads its settings."""
EXPLAINED = 0.03
"""An error above this needs a cause."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row with its prediction; None for what the engine does not predict for this device."""

    row: Row
    predicted_bytes: int | None
    """The figure that the row's metric names."""
    high_bytes: int | None
    """What the verdict “fits” is promised for: the whole device's high value."""
    otherwise_bytes: int | None = None
    """The same figure under the row's other reading."""

    @property
    def error(self) -> float | None:
        """Predicted over measured, less one."""
        return self._error(self.predicted_bytes)

    @property
    def otherwise_error(self) -> float | None:
        """The same under the other reading."""
        return self._error(self.otherwise_bytes)

    def _error(self, predicted_bytes: int | None) -> float | None:
        return None if predicted_bytes is None else predicted_bytes / self.row.measured_bytes - 1

    @property
    def is_covered(self) -> bool | None:
        """Whether the high value is at or above the measured one."""
        return None if self.high_bytes is None else self.high_bytes >= self.row.measured_bytes


class Summary(NamedTuple):
    """Of some outcomes."""

    name: str
    rows: int
    median_error: float | None
    """Of the absolute errors."""
    largest_error: float | None
    covered: float | None
    """The share whose high value is at or above the measured one."""


class Figures(Protocol):
    """A predicted peak."""

    @property
    def allocated_bytes(self) -> int:
        """Of torch's allocator."""

    @property
    def reserved_bytes(self) -> int | None:
        """Of torch's allocator."""

    @property
    def device_bytes(self) -> int | None:
        """Of the whole card, as expected."""

    @property
    def device_high_bytes(self) -> int | None:
        """Of the whole card, at most."""


def predict(row: Row) -> Outcome:
    """The prediction for a row that a plan can say. Raises ``MemplannerError``."""
    plan, other = row.as_plan(), row.otherwise
    with _allocator(row.allocator):
        peak = _peak(row, row.load, plan)
    otherwise = None
    if other is not None:
        settings = row.allocator if other.allocator is None else other.allocator
        changed = plan.with_values(other.changes)
        with _allocator(settings):
            otherwise = figure(row, _peak(row, other.load or row.load, changed))
    return Outcome(row, figure(row, peak), peak.device_high_bytes, otherwise)


@contextmanager
def _allocator(settings: str) -> Iterator[None]:
    """Predictions in it are of a run that starts with these settings, whatever is set here."""
    before = os.environ.pop(ALLOCATOR, None)
    if settings:
        os.environ[ALLOCATOR] = settings
    try:
        yield
    finally:
        os.environ.pop(ALLOCATOR, None)
        if before is not None:
            os.environ[ALLOCATOR] = before


def _peak(row: Row, source: str, plan: Plan) -> Figures:
    model = memplanner.load(source, inputs=row.inputs, trust_code=True)
    return memplanner.estimate(model, plan, device=row.device).peak


def figure(row: Row, peak: Figures) -> int | None:
    """Of the peak's figures the one that the row's metric names."""
    if row.metric == "allocated":
        return peak.allocated_bytes
    return peak.reserved_bytes if row.metric == "reserved" else peak.device_bytes


def summarize(name: str, outcomes: Iterable[Outcome]) -> Summary:
    """Medians over those that have a prediction."""
    listed = list(outcomes)
    errors = [abs(one.error) for one in listed if one.error is not None]
    covered = [one.is_covered for one in listed if one.is_covered is not None]
    return Summary(
        name,
        len(errors),
        median(errors) if errors else None,
        max(errors) if errors else None,
        sum(covered) / len(covered) if covered else None,
    )
