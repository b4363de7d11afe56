"""What stands above every view: the verdict, the budget bar, and what one step is."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolBar, QVBoxLayout, QWidget

from memplanner.messages.cost import StepTime
from memplanner.messages.estimate import Estimate
from memplanner.messages.run import RunResult
from memplanner.plan import Plan
from memplanner.units import MINUS, format_bytes, format_count, format_duration
from memplanner_ui import step_words
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.budget_bar import HEIGHT, BudgetBar
from memplanner_ui.views.rows import ElidedLabel, label
from memplanner_ui.views.uses import intake
from memplanner_ui.views.verdict import Verdict

VERDICT, STEP = 304, 178
"""Widths at 100 %, in pixels."""
MARK = 18
"""What the step's heading leaves to the mark in its corner."""
CAUTION_FROM = 0.03
"""An error of this share and more is written in the caution colour."""


class StepBlock(QWidget):
    """How long an optimizer step takes, or what it takes in where that is not known.

    After a run: what was measured and how far off the prediction was.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._measured: RunResult | None = None
        self._estimate: Estimate | None = None
        self._above = ElidedLabel()
        self._figure = label("", "notice")
        self._below, self._last = ElidedLabel(), ElidedLabel()
        for line in (self._above, self._below, self._last):
            line.setFont(fonts.font("secondary"))
            line.setProperty("ink", "secondary")
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 10, 8)
        column.setSpacing(1)
        top = QHBoxLayout()
        top.addWidget(self._above, 1)
        top.addSpacing(MARK)
        column.addLayout(top)
        for row in (self._figure, self._below, self._last):
            column.addWidget(row)
        column.addStretch(1)

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows the step of the estimate's plan."""
        self._estimate = estimate
        self._show()

    def set_result(self, result: RunResult | None) -> None:
        """Shows a run's result for as long as the plan stays the one that ran."""
        self._measured = result
        self._show()

    @property
    def measured(self) -> RunResult | None:
        """The run whose result is shown, as long as the plan is the one that ran."""
        return self._measured

    def time_of(self, plan: Plan) -> StepTime | None:
        """What a step of ``plan`` is estimated to take; None where that is not known."""
        estimate = self._estimate
        return estimate.time if estimate is not None and estimate.plan == plan else None

    def _show(self) -> None:
        estimate, result = self._estimate, self._measured
        if estimate is None:
            self._say("", "", "")
        elif result is not None and result.measured is not None and result.plan == estimate.plan:
            self._show_measured(estimate, result, result.measured.allocated_bytes)
        elif estimate.time is not None:
            self._show_time(estimate, estimate.time)
        else:
            plan, ranks = estimate.plan, estimate.plan.sharding.ranks
            above, count, unit = intake(plan, takes_sequence=estimate.model.takes_sequence)
            words = translate("Window", "time not known here")
            if ranks > 1:
                words = translate("Window", "{ranks} cards, not timed").format(
                    ranks=format_count(ranks)
                )
            self._say(above, f"{format_count(count)} {unit}", words)

    def _show_time(self, estimate: Estimate, time: StepTime) -> None:
        trains = estimate.plan.inference.use == "training"
        self._say(
            translate("Window", "One optimizer step")
            if trains
            else translate("Window", "One round"),
            format_duration(time.seconds),
            step_words.rate(time),
            step_words.likely(time),
            tip=step_words.explained(time),
        )

    def _show_measured(self, estimate: Estimate, result: RunResult, measured_bytes: int) -> None:
        words, caution = translate("Window", "no error known"), False
        if result.error is not None:
            words = translate("Window", "prediction off by {error}").format(
                error=format_share(result.error)
            )
            caution = abs(result.error) >= CAUTION_FROM
        self._say(
            translate("Window", "Measured, allocated"),
            format_bytes(measured_bytes),
            words,
            step_words.beside_measured(estimate.time, result.step_seconds),
            caution=caution,
        )

    def _say(
        self,
        above: str,
        figure: str,
        below: str,
        last: str = "",
        *,
        tip: str = "",
        caution: bool = False,
    ) -> None:
        self._above.set_text(above)
        self._figure.setText(figure)
        self._below.set_text(below)
        self._last.set_text(last)
        self.setToolTip(tip)
        ink = "caution" if caution else "secondary"
        if self._below.property("ink") != ink:
            self._below.setProperty("ink", ink)
            self._below.style().unpolish(self._below)
            self._below.style().polish(self._below)
        told = ", ".join(words for words in (below, last) if words)
        self.setAccessibleName(
            f"{above}: {figure}, {told}" if figure else translate("Window", "One step")
        )
        self.setAccessibleDescription(tip)


def format_share(share: float) -> str:
    """A share as signed per cent with one decimal, such as ``−0.2 %``."""
    per_cent = round(100 * share, 1)
    sign = MINUS if per_cent < 0 else "+" if per_cent > 0 else ""
    return f"{sign}{abs(per_cent):.1f} %"


class Header(QToolBar):
    """A tool bar in its own row, so that it spans the docks as well."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(translate("Window", "Verdict and budget"), parent)
        self.setObjectName("header")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        if (layout := self.layout()) is not None:
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(0)
        self.verdict = Verdict()
        self.budget = BudgetBar()
        self.step = StepBlock()
        self.row = row = _Row()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 1)
        line.setSpacing(0)
        self._fit()
        self.budget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        line.addWidget(self.verdict)
        line.addWidget(UprightLine())
        line.addWidget(self.budget, 1)
        line.addWidget(UprightLine())
        line.addWidget(self.step)
        self.addWidget(row)

    def _fit(self) -> None:
        """What stands beside the bar grows with the text, up to a share of the window."""
        for widget, width, share in ((self.verdict, VERDICT, 0.3), (self.step, STEP, 0.2)):
            wanted = min(fonts.scaled(width), round(share * self.width()))
            widget.setFixedWidth(max(width, wanted))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows an estimate in all three."""
        self.verdict.set_estimate(estimate)
        self.budget.set_estimate(estimate)
        self.step.set_estimate(estimate)


class _Row(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(fonts.scaled(HEIGHT) + 1)

    def sizeHint(self) -> QSize:
        return QSize(900, fonts.scaled(HEIGHT) + 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        bottom = self.height() - 1
        QPainter(self).fillRect(0, bottom, self.width(), 1, theme.current().color("border"))


class UprightLine(QWidget):
    """A line between two parts of a row."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(1)

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), theme.current().color("border"))
