"""The timeline view: the predicted step of a plan from its first allocation to its last."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from memplanner.messages.estimate import Estimate
from memplanner.messages.run import RunResult
from memplanner.units import format_bytes
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.parts import lower, plain_number, title_of
from memplanner_ui.views.rows import ShrinkingLabel, label
from memplanner_ui.views.segments import Segments
from memplanner_ui.views.timeline_data import (
    STACKED,
    Floats,
    Step,
    bounds,
    measured_at,
    measured_curves,
    step_of,
)
from memplanner_ui.views.timeline_overview import TimelineOverview
from memplanner_ui.views.timeline_plot import TimelinePlot
from memplanner_ui.views.timeline_readout import TimelineReadout
from memplanner_ui.views.timeline_table import TimelineTable
from memplanner_ui.views.uses import one, round_of

_FIXED, _ZERO = "fixed", "zero"
_AS_TABLE, _AS_PLOT = translatable("Views", "Show as table"), translatable("Views", "Show as plot")
_HINT = translatable("Views", "Drag to zoom, Home to reset")
_NONE = translatable("Views", "The timeline of a plan’s step is shown here once it is estimated.")
_NO_STEP = translatable("Views", "The source holds parameters only, so there is no step to show.")


class TimelineView(QWidget):
    """Follows the estimate; ``set_result`` lays the last run over it where the plan is the same."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._estimate: Estimate | None = None
        self._result: RunResult | None = None
        self._measured: list[tuple[Floats, Floats]] = []
        self._can_cut = False
        self.step: Step | None = None
        self._step_is_of: Estimate | None = None
        self._stale = False
        self.axis = Segments(
            translate("Views", "Axis from"),
            ((_ZERO, "0"), (_FIXED, translate("Views", "Fixed part"))),
        )
        self.whole = QPushButton(translate("Views", "Whole step"))
        self.as_table = QPushButton(translate("Views", _AS_TABLE))
        self.readout = TimelineReadout()
        self.overview = TimelineOverview()
        self.plot = TimelinePlot()
        self.table = TimelineTable()
        self._caption = QLabel()
        self._empty = label(translate("Views", _NONE), "body", "faint", wrap=True)
        self._pages = QStackedWidget()
        self._set_up()
        self.set_estimate(None)

    def _set_up(self) -> None:
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.axis.choose(_FIXED)
        self.axis.chosen.connect(lambda _: self._show())
        self.plot.read.connect(self._read)
        self.plot.range_changed.connect(self._follow_range)
        self.overview.range_chosen.connect(self.plot.set_range)
        self.whole.setProperty("small", True)
        self.whole.clicked.connect(self.plot.reset_range)
        self.as_table.setProperty("small", True)
        self.as_table.setCheckable(True)
        self.as_table.setToolTip(translate("Views", "The same as a table, the peak first (Alt+T)"))
        self.as_table.toggled.connect(self._show_page)
        self.table.activated.connect(self._go_to)
        self._hint = ShrinkingLabel(translate("Views", _HINT))
        self._hint.setFont(fonts.font("secondary"))
        self._hint.setProperty("ink", "faint")
        bar = QHBoxLayout()
        bar.setContentsMargins(16, 5, 14, 5)
        bar.setSpacing(8)
        self._axis_words = label(translate("Views", "Axis from"), "body", "secondary")
        for widget in (self.whole, self._axis_words, self.axis):
            bar.addWidget(widget)
        bar.addStretch(1)
        bar.addWidget(self._hint)
        bar.addWidget(self.as_table)
        self._caption.setFont(fonts.font("axis"))
        self._caption.setProperty("ink", "faint")
        self._caption.setWordWrap(True)
        self._caption.setContentsMargins(fonts.scaled(48), 0, 14, 8)
        drawn = QWidget()
        column = QVBoxLayout(drawn)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.readout)
        column.addWidget(self.overview)
        column.addWidget(self.plot, 1)
        column.addWidget(self._caption)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        read = QWidget()
        beside = QVBoxLayout(read)
        beside.setContentsMargins(12, 0, 10, 0)
        beside.addWidget(self.table)
        for page in (self._empty, drawn, read):
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self._pages, 1)

    # What is shown

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows the step of ``estimate``; what is zoomed in on stays in sight."""
        self._estimate = estimate
        self._show_if_seen()

    def set_result(self, result: RunResult | None) -> None:
        """Lays a run's curve over the step for as long as plan and device are those that ran."""
        self._result = result
        self._show_if_seen()

    def toggle_table(self) -> None:
        """Shows the table instead of the plot, or the plot again."""
        self.as_table.toggle()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._show()

    def _show_if_seen(self) -> None:
        """Behind another tab it waits: an edit is not to be held up by what nobody looks at."""
        self._stale = self.window().isVisible() and not self.isVisible()
        if not self._stale:
            self._show()

    def _show(self) -> None:
        self._stale = False
        result, estimate = self._result, self._estimate
        if estimate is not self._step_is_of:
            self._step_is_of = estimate
            self.step = None if estimate is None else step_of(estimate)
        self._empty.setText(
            translate("Views", _NONE) if estimate is None else translate("Views", _NO_STEP)
        )
        step = self.step
        self._measured = []
        if (
            step is not None
            and estimate is not None
            and result is not None
            and result.measured is not None
            and result.plan == estimate.plan
            and result.device.name == estimate.device.name
        ):
            self._measured = measured_curves(step, result.measured)
        if step is not None:
            highest = max((float(y.max()) for _, y in self._measured), default=0.0)
            limits = bounds(step, highest, cut=self.axis.value == _FIXED)
            self.overview.show_step(step, limits)
            self.plot.show_step(step, self._measured, limits)
            self._caption.setText(self._caption_of(step, limits[0]))
            self._can_cut = bounds(step, highest, cut=True)[0] > 0
        else:
            self.overview.show_step(None, (0.0, 1.0))
            self.plot.show_step(None, [], (0.0, 1.0))
        self.table.show_step(step)
        word = one("step" if estimate is None else round_of(estimate.plan))
        self.whole.setText(translate("Views", "Whole {word}").format(word=word))
        self.whole.setToolTip(translate("Views", "Show the whole {word} (Home)").format(word=word))
        self._show_page()

    def _show_page(self) -> None:
        shown = self.step is not None
        table = self.as_table.isChecked()
        self.as_table.setEnabled(shown)
        self._hint.setVisible(shown and not table)
        self.whole.setVisible(shown and not table)
        self.as_table.setText(translate("Views", _AS_PLOT if table else _AS_TABLE))
        for widget in (self._axis_words, self.axis):
            widget.setVisible(shown and self._can_cut and not table)
        self._pages.setCurrentIndex(0 if not shown else 2 if table else 1)

    def _caption_of(self, step: Step, bottom: float) -> str:
        """What is below the axis and what the axes count."""
        words = [translate("Views", "From left to right by allocations and frees, not by time.")]
        if bottom > 0:
            fixed = sum(step.fixed)
            parts = ", ".join(
                f"{lower(title_of(part))} {plain_number(size, fixed)}"
                for part, size in zip(STACKED, step.fixed, strict=True)
                if size
            )
            start = format_bytes(round(bottom))
            words.insert(
                0,
                translate("Views", "Axis starts at {start}. Always there: {parts}.").format(
                    start=start, parts=parts
                ),
            )
        if self._measured:
            words.append(translate("Views", "The line is what the last run measured."))
        return " ".join(words)

    def _read(self, point: int, _chosen: bool) -> None:
        if self.step is None:
            return
        moment = self.step.moment(point)
        measured = measured_at(self._measured, float(moment.event))
        if moment.is_peak and self._measured and self._result and self._result.measured:
            # a run is at its highest somewhere else between two points: peak is held against peak
            measured = self._result.measured.allocated_bytes
        self.readout.show_moment(moment, self.step.events, measured)
        self.plot.setAccessibleDescription(self.readout.text)

    def _follow_range(self, left: float, right: float) -> None:
        self.overview.set_range(left, right)
        self.whole.setEnabled(self.plot.zoomed)

    def _go_to(self, index: QModelIndex) -> None:
        """From a row of the table to its moment in the plot."""
        point = self.table.rows.rows[index.row()].point
        self.as_table.setChecked(False)
        self.plot.go_to(point if index.row() else None)
        self.plot.setFocus(Qt.FocusReason.OtherFocusReason)
