"""The one selected module, shared by every view."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal


class Selection(QObject):
    """Choosing a module in one view shows it in all."""

    changed = Signal(object)
    """The module's dotted name, empty for the whole model; None when nothing is selected."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.name: str | None = None

    def select(self, name: str | None) -> None:
        """Selects a module by its dotted name, or nothing."""
        if name != self.name:
            self.name = name
            self.changed.emit(name)
