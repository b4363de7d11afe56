"""The parts a bar is made of: those of reports, for the views, with their titles translated."""

from __future__ import annotations

from memplanner.report.parts import (
    IN_OVERHEAD,
    IN_SOME_PLANS,
    NAMED,
    OTHER_PROGRAMS,
    PARTS,
    PHASES,
    SHORT_TITLES,
    TITLES,
    Around,
    Budget,
    absent_parts,
    around_rows,
    around_the_plan,
    budget,
    color_of,
    distance,
    exact,
    lower,
    margin_bytes,
    margin_source,
    part_bytes,
    plain_number,
    shown,
    whole_peak_bytes,
)
from memplanner_ui.language import of_plan

__all__ = [
    "IN_OVERHEAD",
    "IN_SOME_PLANS",
    "NAMED",
    "OTHER_PROGRAMS",
    "PARTS",
    "PHASES",
    "SHORT_TITLES",
    "TITLES",
    "Around",
    "Budget",
    "absent_parts",
    "around_rows",
    "around_the_plan",
    "budget",
    "color_of",
    "distance",
    "exact",
    "lower",
    "margin_bytes",
    "margin_source",
    "part_bytes",
    "phase_title",
    "plain_number",
    "short_title",
    "shown",
    "title_of",
    "whole_peak_bytes",
]


def title_of(part: str) -> str:
    """The title of a part, such as ``Activations``."""
    return of_plan(TITLES[part])


def short_title(part: str) -> str:
    """The title of a part where there is little room, such as ``Activ.``."""
    return of_plan(SHORT_TITLES.get(part, TITLES[part]))


def phase_title(phase: str) -> str:
    """The title of a phase of a step, such as ``Backward``."""
    return of_plan(PHASES[phase])
