"""A run's result: predicted against measured, row by row."""

from __future__ import annotations

from dataclasses import dataclass

from memplanner.messages.estimate import CATEGORIES
from memplanner.messages.run import RunFigures, RunResult
from memplanner.report.parts import PHASES, TITLES, color_of
from memplanner.units import MINUS, format_bytes, format_difference

CAUTION = 0.03
"""An error of this share and more is one to look at."""


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """A size, predicted and measured, in words."""

    title: str
    part: str
    predicted: str
    measured: str
    difference: str
    error: str
    large: bool
    """Whether the error is one to look at."""
    strong: bool = False


def measured_rows(run: RunResult) -> tuple[MeasuredRow, ...]:
    """Predicted against measured by category, in sum, and the highest of each phase."""
    measured = run.measured
    if measured is None:
        return ()
    rows = [
        _measured(
            TITLES[name],
            getattr(run.predicted.by_category, name),
            getattr(measured.by_category, name),
            part=color_of(name),
        )
        for name in CATEGORIES
        if getattr(run.predicted.by_category, name) or getattr(measured.by_category, name)
    ]
    rows.append(
        _measured(
            "Allocated at the peak",
            run.predicted.allocated_bytes,
            measured.allocated_bytes,
            strong=True,
        )
    )
    rows += _sums(run.predicted, measured)
    rows += [
        _measured(f"Highest in {PHASES[phase].lower()}", run.predicted.by_phase[phase], size)
        for phase, size in measured.by_phase.items()
        if phase in run.predicted.by_phase
    ]
    return tuple(rows)


def _sums(predicted: RunFigures, measured: RunFigures) -> list[MeasuredRow]:
    found = []
    for title, name in (("Reserved", "reserved_bytes"), ("Whole device", "device_bytes")):
        sides = getattr(predicted, name), getattr(measured, name)
        if None not in sides:
            found.append(_measured(title, *sides))
    return found


def _measured(
    title: str, predicted: int, measured: int, *, part: str = "", strong: bool = False
) -> MeasuredRow:
    error = (predicted - measured) / measured if measured else None
    shown = "" if error is None else f"{abs(100 * error):.1f} %"
    if error is not None and round(error, 3):
        shown = (MINUS if error < 0 else "+") + shown
    return MeasuredRow(
        title,
        part,
        format_bytes(predicted),
        format_bytes(measured),
        format_difference(predicted, measured),
        shown,
        error is not None and abs(error) >= CAUTION,
        strong,
    )
