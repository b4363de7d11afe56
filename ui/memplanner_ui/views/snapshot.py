"""A memory snapshot of torch: its history beside the prediction, and what held the peak."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from memplanner.messages.estimate import Estimate
from memplanner.messages.snapshot import Snapshot, SnapshotCurve
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import label
from memplanner_ui.views.snapshot_data import caption, line_of, step_of_history
from memplanner_ui.views.snapshot_table import SnapshotTable
from memplanner_ui.views.timeline_data import Step
from memplanner_ui.views.timeline_overview import TimelineOverview
from memplanner_ui.views.timeline_plot import TimelinePlot
from memplanner_ui.views.timeline_readout import TimelineReadout

_HEADROOM = 1.06


class SnapshotView(QWidget):
    """Shows one card's history at a time; emits ``closed`` when the user is through with it."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.snapshot: Snapshot | None = None
        self.step: Step | None = None
        self._estimate: Estimate | None = None
        self.cards = QComboBox()
        self.cards.setAccessibleName(translate("Views", "Card"))
        self.whole = QPushButton(translate("Views", "Whole history"))
        self.close_button = QPushButton(translate("Views", "Close snapshot"))
        self.readout = TimelineReadout()
        self.overview = TimelineOverview()
        self.plot = TimelinePlot()
        self.table = SnapshotTable()
        self._title = QLabel()
        self._caption = QLabel()
        self._set_up()

    def _set_up(self) -> None:
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.plot.setAccessibleName(translate("Views", "Recorded history"))
        self.overview.setAccessibleName(translate("Views", "Overview of the history"))
        self.plot.read.connect(self._read)
        self.plot.range_changed.connect(self._follow_range)
        self.overview.range_chosen.connect(self.plot.set_range)
        self.cards.currentIndexChanged.connect(lambda _: self._show())
        for button in (self.whole, self.close_button):
            button.setProperty("small", True)
        self.whole.setToolTip(translate("Views", "Show the whole history (Home)"))
        self.whole.clicked.connect(self.plot.reset_range)
        self.close_button.clicked.connect(self.closed)
        bar = QHBoxLayout()
        bar.setContentsMargins(16, 5, 14, 5)
        bar.setSpacing(8)
        self._title.setFont(fonts.semibold("body"))
        bar.addWidget(self._title)
        bar.addStretch(1)
        for widget in (self.cards, self.whole, self.close_button):
            bar.addWidget(widget)
        self._caption.setFont(fonts.font("axis"))
        self._caption.setProperty("ink", "faint")
        self._caption.setWordWrap(True)
        self._caption.setContentsMargins(fonts.scaled(48), 0, 14, 8)
        heading = label(translate("Views", "Largest at the recorded peak"), "heading")
        heading.setContentsMargins(16, 4, 14, 4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(bar)
        column.addWidget(self.readout)
        column.addWidget(self.overview)
        column.addWidget(self.plot, 3)
        column.addWidget(self._caption)
        column.addWidget(heading)
        column.addWidget(self.table, 2)

    @property
    def curve(self) -> SnapshotCurve | None:
        """The history that is shown."""
        place = self.cards.currentIndex()
        return None if self.snapshot is None or place < 0 else self.snapshot.curves[place]

    def set_snapshot(self, snapshot: Snapshot | None) -> None:
        """Shows a snapshot's fullest card first."""
        self.snapshot = snapshot
        curves = () if snapshot is None else snapshot.curves
        self.cards.blockSignals(True)
        self.cards.clear()
        self.cards.addItems([f"cuda:{curve.device}" for curve in curves])
        fullest = max(range(len(curves)), key=lambda one: curves[one].peak_bytes, default=-1)
        self.cards.setCurrentIndex(fullest)
        self.cards.blockSignals(False)
        self.cards.setVisible(len(curves) > 1)
        self._title.setText("" if snapshot is None else Path(snapshot.path).name)
        self._title.setToolTip("" if snapshot is None else snapshot.path)
        self._show()

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Holds the history against another prediction."""
        self._estimate = estimate
        if self.snapshot is not None:
            self._show()

    def _show(self) -> None:
        curve = self.curve
        if curve is None:
            self.step = None
            self.overview.show_step(None, (0.0, 1.0))
            self.plot.show_step(None, [], (0.0, 1.0))
            self.table.show_stacks(())
            self._caption.setText("")
            return
        self.step = step = step_of_history(curve, self._estimate)
        estimate = self._estimate
        predicted = 0 if estimate is None else estimate.peak.allocated_bytes
        highest = max(curve.reserved_peak_bytes, curve.peak_bytes, predicted)
        capacity = step.capacity_bytes
        if capacity is not None and capacity <= 1.6 * highest:
            highest = max(highest, capacity)
        limits = (0.0, highest * _HEADROOM)
        self.overview.show_step(step, limits)
        self.plot.predicted_bytes = predicted or None
        self.plot.show_step(step, [line_of(step)], limits)
        self.table.show_stacks(curve.stacks, curve.peak_bytes)
        self._caption.setText(caption(curve, estimate))

    def _read(self, point: int, _chosen: bool) -> None:
        if self.step is not None:
            self.readout.show_moment(self.step.moment(point), self.step.events)
            self.plot.setAccessibleDescription(self.readout.text)

    def _follow_range(self, left: float, right: float) -> None:
        self.overview.set_range(left, right)
        self.whole.setEnabled(self.plot.zoomed)
