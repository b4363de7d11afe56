"""One row of the form for each kind of field."""

from __future__ import annotations

from typing import Any, Protocol

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from memplanner.plan import Choice, Plan
from memplanner.plan.factoring import allowed, degree_of
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.plan_panel.badge import Badge, Effect
from memplanner_ui.plan_panel.fields import Names, WholeNumber, Words
from memplanner_ui.plan_panel.fold import RIGHT
from memplanner_ui.plan_panel.form import OptionForm
from memplanner_ui.plan_panel.refusals import hindrance, refusal

INDENT = 27
LABEL_WIDTH, WIDEST_LABEL = 76, 90
"""Fields of a section begin below each other; a longer label moves its own field alone."""
FIELD_WIDTH = 80
"""Six digits and the arrows."""
ROW = 25


class Edits(QObject):
    """Where the rows of a form tell what the user did."""

    edited = Signal(str, object, bool)
    """Key, new value, and whether it continues the edit before it."""
    gesture_ended = Signal()


class OptionRows(Protocol):
    """What the panel asks of the rows of an option, whatever its kind."""

    option: OptionForm

    def show_plan(self, plan: Plan) -> None:
        """Shows the option's value in ``plan``."""

    def badge(self, value: str) -> Badge | None:
        """Where the effect of choosing ``value`` is shown; None when there is no such row."""

    def dim(self) -> None:
        """The plan has changed: effects are of an earlier one."""

    def take_focus(self) -> None:
        """Gives the focus to the row that can change the value."""


class ChoiceRow(QWidget):
    """A value that can be chosen."""

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = choice
        self.button = QRadioButton(choice.title)
        self.button.setToolTip(choice.explanation)
        self.button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.badge = Badge()
        self.setFixedHeight(fonts.scaled(ROW))
        line = QHBoxLayout(self)
        line.setContentsMargins(INDENT, 0, RIGHT, 0)
        line.setSpacing(8)
        line.addWidget(self.button)
        line.addWidget(self.badge, 1)

    def show_state(self, chosen: bool, refused: str, by: str = "") -> None:
        """Shows whether it is chosen, or why it cannot be; ``by`` is the choice in the way."""
        self.button.setChecked(chosen)
        self.button.setEnabled(chosen or not refused)
        self.button.setToolTip(refused or self.choice.explanation)
        if chosen:
            self.badge.set_state(translate("Plan panel", "chosen"))
        else:
            self.badge.set_state(refused, _shorter(by) if refused else ())
        self.name()

    def name(self) -> None:
        """Says the effect in the accessible name, too."""
        words = [self.choice.title]
        if self.badge.spoken:
            words.append(self.badge.spoken)
        if not self.button.isChecked():
            words.append(translate("Plan panel", "not chosen"))
        self.button.setAccessibleName(", ".join(words))
        self.button.setAccessibleDescription(self.choice.explanation)


def _shorter(by: str) -> tuple[str, ...]:
    """What a badge says of a refusal whose sentence has no room, the longest first."""
    names = dict.fromkeys((by, by.partition(",")[0])) if by else ()
    words = [translate("Plan panel", "not with {choice}").format(choice=name) for name in names]
    return *words, translate("Plan panel", "not possible")


class Choose(QWidget):
    """Radio rows, one a value."""

    def __init__(self, option: OptionForm, edits: Edits, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.option = option
        self._group = QButtonGroup(self)
        self._rows: dict[str, ChoiceRow] = {}
        self.setAccessibleName(option.title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for choice in option.choices:
            row = self._rows[choice.value] = ChoiceRow(choice)
            self._group.addButton(row.button)
            row.button.clicked.connect(
                lambda _=False, value=choice.value: edits.edited.emit(option.key, value, False)
            )
            column.addWidget(row)

    def show_plan(self, plan: Plan) -> None:
        """Checks the chosen value, and says of the others whether they can be chosen."""
        now = self.option.value(plan)
        self._group.setExclusive(False)
        for value, row in self._rows.items():
            refused = "" if value == now else refusal(plan, self.option.key, value)
            by = hindrance(plan, self.option.key, value) if refused else ""
            row.show_state(value == now, refused, by)
        self._group.setExclusive(True)

    def badge(self, value: str) -> Badge | None:
        """The badge of one value."""
        row = self._rows.get(value)
        return row.badge if row else None

    def set_effect(self, value: str, effect: Effect | None, *, dimmed: bool = False) -> None:
        """Shows what choosing ``value`` would change."""
        if row := self._rows.get(value):
            row.badge.set_effect(effect, dimmed=dimmed)
            row.name()

    def dim(self) -> None:
        """The plan has changed: effects are of an earlier one."""
        for row in self._rows.values():
            row.badge.dim()

    def take_focus(self) -> None:
        """Focuses the chosen row."""
        for row in self._rows.values():
            if row.button.isChecked():
                row.button.setFocus(Qt.FocusReason.OtherFocusReason)


class FieldRow(QWidget):
    """A label, a field, and a badge."""

    def __init__(self, option: OptionForm, edits: Edits, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.option = option
        self._edits = edits
        self._showing = False
        self._badge = Badge(self)
        self.field = self._make_field()
        words = [option.explanation, option.limits.words.capitalize()]
        tip = "\n".join(word for word in words if word)
        self.field.setToolTip(tip)
        self.field.setAccessibleName(option.title)
        self.field.setAccessibleDescription(tip)
        self._line = QHBoxLayout(self)
        self._line.setSpacing(6)
        self._line.setContentsMargins(INDENT, 1, RIGHT, 1)
        self._label: QLabel | None = None
        if isinstance(self.field, QCheckBox):
            self._line.addWidget(self.field)
            self._line.addWidget(self._badge, 1)
            self.setFixedHeight(fonts.scaled(ROW))
            return
        label = self._label = QLabel(option.title)
        label.setProperty("ink", "secondary")
        label.setToolTip(tip)
        label.setBuddy(self.field)
        if isinstance(self.field, Names):
            self._line.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
            self._line.addWidget(self.field, 1)
            self._badge.hide()  # a list of names has no room for one
            return
        self.field.setFixedWidth(fonts.scaled(FIELD_WIDTH))
        self._line.addWidget(label)
        self._line.addWidget(self.field)
        self._line.addWidget(self._badge, 1)

    @property
    def label_width(self) -> int:
        """How wide the words before the field are; 0 where there are none."""
        return 0 if self._label is None else self._label.sizeHint().width()

    def begin_field_at(self, width: int) -> None:
        """Gives the words before the field at least ``width``."""
        if self._label is not None:
            self._label.setMinimumWidth(width)

    def _make_field(self) -> QWidget:
        option, edits = self.option, self._edits
        if option.kind == "flag":
            check = QCheckBox(option.title)
            check.clicked.connect(lambda on: edits.edited.emit(option.key, on, False))
            return check
        if option.kind == "whole" and not option.optional:
            number = WholeNumber(option.limits, option.suggestions)
            number.valueChanged.connect(lambda value: self._edit(value, merge=True))
            number.finished.connect(edits.gesture_ended)
            return number
        if option.kind == "names":
            names = Names(option.title)
            names.changed.connect(lambda value: self._edit(list(value)))
            return names
        words = Words()
        words.changed.connect(lambda text: self._edit(self._read(text)))
        return words

    def _read(self, text: str) -> Any:
        if self.option.optional and text in ("", "none"):
            return None
        return text

    def _edit(self, value: Any, *, merge: bool = False) -> None:
        if not self._showing:
            self._edits.edited.emit(self.option.key, value, merge)

    def show_plan(self, plan: Plan) -> None:
        """Shows the value without telling that it changed."""
        value = self.option.value(plan)
        self._showing = True
        match self.field:
            case QCheckBox():
                self.field.setChecked(bool(value))
            case WholeNumber():
                if (degree := degree_of(self.option.key)) is not None:
                    self.field.offer(allowed(plan.sharding, degree))
                if self.field.value() != value:
                    self.field.setValue(value)
            case Names():
                self.field.show_names(value)
            case Words():
                self.field.show_text("" if value is None else self.option.words(value))
        self._showing = False

    def badge(self, value: str) -> Badge | None:
        """The row's only badge."""
        return self._badge

    def set_effect(self, value: str, effect: Effect | None, *, dimmed: bool = False) -> None:
        """Shows what another value would change."""
        self._badge.set_effect(effect, dimmed=dimmed)
        words = f"{self.option.title}, {effect.spoken}" if effect else self.option.title
        self.field.setAccessibleName(words)

    def dim(self) -> None:
        """The plan has changed: the effect is of an earlier one."""
        self._badge.dim()

    def take_focus(self) -> None:
        """Focuses the field."""
        target = self.field.add_field if isinstance(self.field, Names) else self.field
        target.setFocus(Qt.FocusReason.OtherFocusReason)


def rows_for(option: OptionForm, edits: Edits) -> Choose | FieldRow:
    """The rows of an option of any kind."""
    return Choose(option, edits) if option.kind == "choice" else FieldRow(option, edits)
