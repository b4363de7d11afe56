"""Every change of the plan since it was opened, in order; choosing one goes back or forth to it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QUndoStack
from PySide6.QtWidgets import QDockWidget, QUndoView, QWidget

from memplanner_ui.language import translate


class PlanChanges(QDockWidget):
    """A dock at either side, hidden until it is asked for."""

    closed = Signal()
    """By its own button."""

    def __init__(self, history: QUndoStack, parent: QWidget) -> None:
        super().__init__(translate("Window", "Changes"), parent)
        self.setObjectName("plan_changes")
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetClosable
            | QDockWidget.DockWidgetFeature.DockWidgetMovable
        )
        self.setAllowedAreas(
            Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea
        )
        self.list = QUndoView(history)
        self.list.setEmptyLabel(translate("Window", "The plan as it was opened"))
        self.list.setAlternatingRowColors(True)
        self.list.setAccessibleName(translate("Window", "Changes of the plan, the last one below"))
        self.list.setToolTip(
            translate("Window", "Choose a change to have the plan as it was after it")
        )
        self.list.setStyleSheet("QListView::item { padding: 3px 10px; }")
        self.setWidget(self.list)
        self.hide()

    def closeEvent(self, event: QCloseEvent) -> None:
        super().closeEvent(event)
        self.closed.emit()
