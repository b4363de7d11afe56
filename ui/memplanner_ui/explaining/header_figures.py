"""The figures that stand above every view: the verdict, the budget bar, the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint

from memplanner.report.explained import cost, memory, runs
from memplanner_ui.explaining.asking import Answer, Figure, among, of_part
from memplanner_ui.views.budget_bar import MARGIN
from memplanner_ui.views.uses import intake

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow


class HeaderFigures:
    """Answers of the header’s three widgets."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def figures(self) -> tuple[Figure, ...]:
        """Each with what it answers."""
        header = self._window.header
        return (
            Figure(header.verdict, self._verdict, opens_by_click=True),
            Figure(header.budget, self._budget, opens_by_click=True),
            Figure(header.step, self._step, opens_by_click=True),
        )

    def _verdict(self, _place: QPoint | None) -> Answer | None:
        estimate = self._window.session.document.estimate
        return None if estimate is None else among(estimate, memory.of_verdict(estimate))

    def _budget(self, place: QPoint | None) -> Answer | None:
        estimate = self._window.session.document.estimate
        if estimate is None:
            return None
        part = MARGIN
        if place is not None:
            part = self._window.header.budget.part_at(place.x(), place.y()) or MARGIN
        return among(estimate, of_part(estimate, part))

    def _step(self, _place: QPoint | None) -> Answer | None:
        estimate = self._window.session.document.estimate
        if estimate is None:
            return None
        result = self._window.header.step.measured
        if result is not None and result.measured is not None and result.plan == estimate.plan:
            predicted, measured = result.predicted, result.measured
            return among(
                estimate,
                runs.of_comparison(
                    "Allocated at the peak, predicted and measured",
                    predicted.allocated_bytes,
                    measured.allocated_bytes,
                    result.device,
                ),
            )
        if estimate.time is not None:
            trains = estimate.plan.inference.use == "training"
            kind = "optimizer step" if trains else "round"
            return among(estimate, cost.of_step(estimate.time, kind))
        plan = estimate.plan
        _, count, unit = intake(plan, takes_sequence=estimate.model.takes_sequence)
        return among(estimate, cost.of_intake(plan, unit, count))
