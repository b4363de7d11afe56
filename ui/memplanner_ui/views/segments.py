"""A segmented control: a row of buttons of which one, or any, is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import mirrors


class Segments(QWidget):
    """Emits ``chosen`` with a segment's value when the user chooses it.

    With ``many`` every segment is a switch of its own, and all begin switched on.
    """

    chosen = Signal(str)

    def __init__(
        self,
        name: str,
        options: Sequence[tuple[str, str]],
        *,
        many: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        self._group.setExclusive(not many)
        self._buttons: dict[str, QPushButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for place, (value, title) in enumerate(options):
            button = QPushButton(title)
            button.setCheckable(True)
            button.setChecked(many or place == 0)
            button.setProperty("segment", _place(place, len(options)))
            button.setFont(fonts.font("body"))
            button.setAccessibleName(f"{name}: {title}")
            # The chosen one is semibold: room for it always, so that nothing moves.
            width = button.fontMetrics().horizontalAdvance(title)
            button.setMinimumWidth(round(width * 1.08) + 20)
            button.clicked.connect(lambda _=False, value=value: self.chosen.emit(value))
            self._group.addButton(button)
            self._buttons[value] = button
            layout.addWidget(button)

    @property
    def value(self) -> str:
        """The chosen segment's value; the first of several."""
        return next((v for v, button in self._buttons.items() if button.isChecked()), "")

    def is_on(self, value: str) -> bool:
        """Whether the segment of ``value`` is chosen."""
        return self._buttons[value].isChecked()

    def choose(self, value: str) -> None:
        """Chooses without emitting."""
        self._buttons[value].setChecked(True)

    def set_title(self, value: str, title: str) -> None:
        """Renames a segment."""
        self._buttons[value].setText(title)
        self._buttons[value].setAccessibleName(f"{self.accessibleName()}: {title}")

    def set_available(self, value: str, available: bool) -> None:
        """Shows a segment as one that can be chosen, or not."""
        self._buttons[value].setVisible(available)


def _place(place: int, count: int) -> str:
    if count == 1:
        return "only"
    ends = ("last", "first") if mirrors() else ("first", "last")
    return ends[0] if place == 0 else ends[1] if place == count - 1 else "middle"
