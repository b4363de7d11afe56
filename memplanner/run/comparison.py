"""Predicted against measured, row by row. Only arithmetic."""

from __future__ import annotations

from typing import NamedTuple

from memplanner.messages.estimate import CATEGORIES
from memplanner.messages.run import RunFigures


class Comparison(NamedTuple):
    """One row of the table."""

    name: str
    predicted_bytes: int
    measured_bytes: int

    @property
    def difference_bytes(self) -> int:
        """Predicted minus measured."""
        return self.predicted_bytes - self.measured_bytes

    @property
    def error(self) -> float | None:
        """The difference over the measured; None where nothing was measured."""
        return self.difference_bytes / self.measured_bytes if self.measured_bytes else None


def compare_categories(predicted: RunFigures, measured: RunFigures) -> tuple[Comparison, ...]:
    """A row for each category that is not zero in both, at each one's own peak."""
    rows = (
        Comparison(name, getattr(predicted.by_category, name), getattr(measured.by_category, name))
        for name in CATEGORIES
    )
    return tuple(row for row in rows if row.predicted_bytes or row.measured_bytes)


def compare_phases(predicted: RunFigures, measured: RunFigures) -> tuple[Comparison, ...]:
    """A row for the highest allocated in each phase that was measured."""
    return tuple(
        Comparison(phase, predicted.by_phase[phase], value)
        for phase, value in measured.by_phase.items()
        if phase in predicted.by_phase
    )


def peak_error(predicted: RunFigures, measured: RunFigures) -> float | None:
    """(predicted − measured) / measured of the allocated peak."""
    return Comparison("", predicted.allocated_bytes, measured.allocated_bytes).error
