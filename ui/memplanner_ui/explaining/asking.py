"""Figures that can be asked about: a widget, and what is said of the place that is pointed at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget

from memplanner.messages.estimate import CATEGORIES, Estimate
from memplanner.report.explained import Explanation, explanations, memory


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told of a figure, among what can be gone on to."""

    explanations: tuple[Explanation, ...]
    place: int = 0
    """Which of them is of the figure itself."""


Ask = Callable[[QPoint | None], Answer | None]
"""Answers for a place in the widget; without one for what has the cursor. None: no figure there."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A widget with figures."""

    widget: QWidget
    ask: Ask
    opens_by_click: bool = False
    """Whether a plain click asks: where a click does nothing else."""


def only(explanation: Explanation | None) -> Answer | None:
    """An answer of one explanation."""
    return None if explanation is None else Answer((explanation,))


def among(estimate: Estimate, explanation: Explanation) -> Answer:
    """The explanation among all those of the estimate."""
    told = explanations(estimate)
    if explanation in told:
        return Answer(told, told.index(explanation))
    return Answer((explanation, *told))


def of_part(estimate: Estimate, part: str) -> Explanation:
    """A part of the budget by its name in ``report.parts``; else the whole peak."""
    if part in CATEGORIES:
        return memory.of_category(estimate, part)
    made = {
        "overhead": memory.of_overhead,
        "other": memory.of_other,
        "free": memory.of_free,
        "host": memory.of_host,
    }
    return made.get(part, memory.of_peak)(estimate)
