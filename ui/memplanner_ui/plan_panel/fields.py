"""The fields of the form that take a number, words or names."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLocale, QStringListModel, Qt, Signal
from PySide6.QtGui import QFocusEvent, QWheelEvent
from PySide6.QtWidgets import (
    QCompleter,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from memplanner_ui.language import translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.plan_panel.form import Limits
from memplanner_ui.views.rows import ElidedLabel

_LARGEST = 2**31 - 1


class WholeNumber(QSpinBox):
    """A whole number. Its arrows go through the suggested values, then by doubling."""

    finished = Signal()
    """The focus has left it: the next change is a new one."""

    def __init__(
        self, limits: Limits, suggestions: Sequence[int] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._suggestions = sorted(suggestions)
        least = 0 if limits.least is None else int(limits.least)
        most = _LARGEST if limits.most is None else min(int(limits.most), _LARGEST)
        if limits.above is not None:
            least = int(limits.above) + 1
        if limits.below is not None:
            most = int(limits.below) - 1
        self.setRange(least, most)
        self.setLocale(QLocale.c())
        self.setGroupSeparatorShown(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # a wheel must not take the focus

    def offer(self, values: Sequence[int]) -> None:
        """Makes the arrows go through ``values``: the only ones that go with the rest."""
        if not isinstance(values, range):
            self._suggestions = list(values)
        self.setRange(values[0], values[-1])

    def stepBy(self, steps: int) -> None:
        for _ in range(abs(steps)):
            self.setValue(self.next_value(self.value(), up=steps > 0))
        self.selectAll()

    def next_value(self, value: int, *, up: bool) -> int:
        """The value that the up or down arrow leads to."""
        if not self._suggestions:
            return value + (1 if up else -1)
        if up:
            higher = [one for one in self._suggestions if one > value]
            return higher[0] if higher else min(value * 2, self.maximum())
        lower = [one for one in self._suggestions if one < value]
        if value > self._suggestions[-1]:
            return max(value // 2, self._suggestions[-1])
        return lower[-1] if lower else max(value // 2, self.minimum())

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()  # scrolling the form changes nothing in it

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.finished.emit()


class Words(QLineEdit):
    """A number with decimals, or text: taken when Enter is pressed or the focus leaves."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = ""
        self.editingFinished.connect(self._finish)

    def show_text(self, text: str) -> None:
        """Shows a value, without telling that it changed."""
        self._shown = text
        if self.text() != text:
            self.setText(text)

    def _finish(self) -> None:
        if self.text() != self._shown:
            self._shown = self.text()
            self.changed.emit(self.text().strip())


class Names(QWidget):
    """A list of names: each with a button that takes it out, and a field that adds more."""

    changed = Signal(tuple)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._names: tuple[str, ...] = ()
        self._known = QStringListModel(self)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(2)
        self.add_field = QLineEdit()
        self.add_field.setPlaceholderText(translate("Plan panel", "Add a name…"))
        self.add_field.setAccessibleName(
            translate("Plan panel", "Add to {title}").format(title=title)
        )
        completer = QCompleter(self._known, self.add_field)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.add_field.setCompleter(completer)
        self.add_field.returnPressed.connect(self._add)
        self._rows.addWidget(self.add_field)

    def offer(self, names: Sequence[str]) -> None:
        """Names worth completing to."""
        self._known.setStringList(list(names))

    def show_names(self, names: tuple[str, ...]) -> None:
        """Shows a value, without telling that it changed."""
        if names == self._names:
            return
        self._names = names
        while self._rows.count() > 1:
            item = self._rows.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for index, name in enumerate(names):
            self._rows.insertWidget(index, self._row(name))

    def _row(self, name: str) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(8, 0, 0, 0)
        label = ElidedLabel(name, Qt.TextElideMode.ElideLeft)  # a path may be long
        label.setFont(fonts.font("mono"))
        remove = QToolButton()
        icons.set_icon(remove, "close", "text2")
        remove.setAccessibleName(
            translate("Plan panel", "Take {name} out of {title}").format(
                name=name, title=self._title
            )
        )
        remove.setToolTip(translate("Plan panel", "Take {name} out").format(name=name))
        remove.clicked.connect(lambda: self._set(tuple(n for n in self._names if n != name)))
        line.addWidget(label, 1)
        line.addWidget(remove)
        return row

    def _add(self) -> None:
        text = self.add_field.text().replace(",", " ")
        self.add_field.clear()
        new = [name for name in text.split() if name not in self._names]
        if new:
            self._set((*self._names, *dict.fromkeys(new)))

    def _set(self, names: tuple[str, ...]) -> None:
        had_focus = self.isAncestorOf(self.focusWidget()) if self.focusWidget() else False
        self.show_names(names)
        if had_focus:
            self.add_field.setFocus()
        self.changed.emit(names)
