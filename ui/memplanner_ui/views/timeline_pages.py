"""The Timeline's two pages: the predicted step, and a recorded history where one is open."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from memplanner.messages.estimate import Estimate
from memplanner.messages.snapshot import Snapshot
from memplanner_ui.language import translate
from memplanner_ui.views.segments import Segments
from memplanner_ui.views.snapshot import SnapshotView
from memplanner_ui.views.timeline import TimelineView

_STEP, _SNAPSHOT = "step", "snapshot"


class TimelinePages(QWidget):
    """Shows the step alone until a snapshot is opened."""

    def __init__(
        self, step: TimelineView, snapshot: SnapshotView, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.step, self.snapshot = step, snapshot
        self.chooser = Segments(
            translate("Views", "Timeline shows"),
            (
                (_STEP, translate("Views", "Predicted step")),
                (_SNAPSHOT, translate("Views", "Snapshot")),
            ),
        )
        self._pages = QStackedWidget()
        for page in (step, snapshot):
            self._pages.addWidget(page)
        self._bar = QWidget()
        line = QHBoxLayout(self._bar)
        line.setContentsMargins(16, 6, 14, 0)
        line.addWidget(self.chooser)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addWidget(self._pages, 1)
        self.chooser.chosen.connect(self._show)
        snapshot.closed.connect(lambda: self.show_snapshot(None))
        self._bar.hide()

    @property
    def shows_snapshot(self) -> bool:
        """Whether the history is in sight."""
        return self._pages.currentWidget() is self.snapshot

    def set_estimate(self, estimate: Estimate | None) -> None:
        """What both pages show of the prediction."""
        self.step.set_estimate(estimate)
        self.snapshot.set_estimate(estimate)

    def show_snapshot(self, snapshot: Snapshot | None) -> None:
        """Shows a snapshot; None goes back to the step alone."""
        self.snapshot.set_snapshot(snapshot)
        self._bar.setVisible(snapshot is not None)
        page = _STEP if snapshot is None else _SNAPSHOT
        self.chooser.choose(page)
        self._show(page)

    def _show(self, page: str) -> None:
        self._pages.setCurrentWidget(self.snapshot if page == _SNAPSHOT else self.step)
