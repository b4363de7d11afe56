"""A number of which only some values are valid, such as the divisors of a number of cards."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QFocusEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QSpinBox, QWidget

from memplanner.units import format_count
from memplanner_ui.language import translate


class FactorField(QSpinBox):
    """Steps through the values it was offered; what else is typed becomes the nearest of them."""

    chosen = Signal(int)
    """A value that the user has set."""
    finished = Signal()
    """The focus has left it: the next change is a new one."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._values: Sequence[int] = (1,)
        self.setLocale(QLocale.c())
        self.setKeyboardTracking(False)
        self.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # a wheel must not take the focus
        self.setAccessibleName(name)
        self.valueChanged.connect(self.chosen)

    @property
    def values(self) -> Sequence[int]:
        """The values that can be chosen, in order."""
        return self._values

    def offer(self, values: Sequence[int], value: int) -> None:
        """Shows ``value``, one of ``values``, without telling that it changed."""
        if values == self._values and value == self.value():
            return  # most edits are of something else
        self._values = values
        blocked = self.blockSignals(True)
        self.setRange(values[0], values[-1])
        self.setValue(value)
        self.blockSignals(blocked)
        self.setEnabled(len(values) > 1)
        self.setToolTip(f"{self._name}: {offered(values)}")
        self.setAccessibleDescription(
            translate("Window", "can be {offered}").format(offered=offered(values))
        )

    def next_value(self, value: int, *, up: bool) -> int:
        """The value that an arrow leads to: through divisors one by one, else by doubling."""
        values = self._values
        if isinstance(values, range):
            wanted = value * 2 if up else value // 2
            if wanted in values:
                return wanted
        place = bisect_right(values, value) if up else bisect_left(values, value) - 1
        return values[min(max(place, 0), len(values) - 1)]

    def stepBy(self, steps: int) -> None:
        value = self.value()
        for _ in range(abs(steps)):
            value = self.next_value(value, up=steps > 0)
        self.setValue(value)
        self.selectAll()

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Digits are on the way to a value; a value is one."""
        if not text.strip():
            return QValidator.State.Intermediate, text, position
        if not text.strip().isdigit():
            return QValidator.State.Invalid, text, position
        known = int(text) in self._values
        state = QValidator.State.Acceptable if known else QValidator.State.Intermediate
        return state, text, position

    def fixup(self, text: str) -> str:
        """The nearest value that can be chosen."""
        if not text.strip().isdigit():
            return str(self.value())
        asked = int(text)
        place = bisect_left(self._values, asked)
        near = [self._values[at] for at in (place - 1, place) if 0 <= at < len(self._values)]
        return str(min(near, key=lambda value: abs(value - asked)))

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.finished.emit()


def offered(values: Sequence[int]) -> str:
    """The values in words: ``1, 2, 4 or 8``, or ``8, 16, 24 … 1 024``."""
    if len(values) == 1:
        return translate("Window", "{value} only").format(value=values[0])
    if len(values) > 12:
        first = ", ".join(format_count(value) for value in values[:3])
        return f"{first} … {format_count(values[-1])}"
    *most, last = (format_count(value) for value in values)
    return translate("Window", "{values} or {last}").format(values=", ".join(most), last=last)
