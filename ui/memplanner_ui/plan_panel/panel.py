"""The plan panel: every section of the plan, a filter over them, and the plan's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from memplanner.plan import Plan
from memplanner_ui.language import translate
from memplanner_ui.plan_panel.badge import Effect
from memplanner_ui.plan_panel.form import OptionForm, sections_of
from memplanner_ui.plan_panel.pins import OptionPin
from memplanner_ui.plan_panel.rows import Edits
from memplanner_ui.plan_panel.section import SectionRows

_OPEN_AT_FIRST = 3
"""So many sections stand open until the user folds them."""


class PlanPanel(QWidget):
    """Shows a plan and tells what the user wants changed; changes nothing itself."""

    edited = Signal(str, object, bool)
    """Key, new value, and whether it continues the edit before it (a spin box being moved)."""
    gesture_ended = Signal()
    reset = Signal(str)
    """A section is to have its first values again."""
    folded_changed = Signal(dict)
    """By section: whether it is folded."""
    pin_wanted = Signal(str, bool)
    """A key, and whether a search is to leave it as it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(translate("Plan panel", "Plan"))
        self._edits = Edits(self)
        self._edits.edited.connect(self.edited)
        self._edits.gesture_ended.connect(self.gesture_ended)
        self._sections: dict[str, SectionRows] = {}
        self._plan: Plan | None = None
        self._shown: tuple[Plan, Plan] | None = None
        self._plan_type: type[Plan] | None = None
        self._folded: dict[str, bool] = {}
        self._names: tuple[str, ...] = ()
        self._pins: dict[str, OptionPin] = {}
        self._pinned: tuple[str, ...] = ()

        self.filter = QLineEdit()
        self.filter.setPlaceholderText(translate("Plan panel", "Filter options"))
        self.filter.setAccessibleName(translate("Plan panel", "Filter options"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._filter)
        self._filter_bar = QWidget()
        bar = QVBoxLayout(self._filter_bar)
        bar.setContentsMargins(12, 6, 12, 6)
        bar.addWidget(self.filter)
        self._filter_bar.hide()
        self._nothing = QLabel(translate("Plan panel", "No option has these words."))
        self._nothing.setProperty("ink", "faint")
        self._nothing.setContentsMargins(14, 8, 14, 8)
        self._nothing.hide()

        self._content = QWidget()
        self._content.setProperty("surface", "panel")
        self._content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._column = QVBoxLayout(self._content)
        self._column.setContentsMargins(0, 0, 0, 12)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        scroll = self._scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # rows must not move when folding makes the form longer
        scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(self._content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._filter_bar)
        whole.addWidget(self._nothing)
        whole.addWidget(scroll, 1)

    # What is shown

    def show_plan(self, plan: Plan, first_plan: Plan) -> None:
        """Shows ``plan``; a reset returns to ``first_plan``."""
        if type(plan) is not self._plan_type:
            self._build(type(plan))
        shown, self._shown = self._shown, (plan, first_plan)
        self._plan = plan
        for name, section in self._sections.items():
            if _differs(name, self._shown, shown):
                section.show_plan(plan, first_plan)
                section.setVisible(section.form.matters(plan))
                for key in section.rows:
                    self._pins[key].follow_choice()
        if self.filter.text():
            self._filter(self.filter.text())

    def show_pins(self, keys: Sequence[str]) -> None:
        """Shows which options a search leaves as they are."""
        self._pinned = tuple(keys)
        for key, pin in self._pins.items():
            pin.show_pinned(key in keys)

    def key_at(self, widget: QWidget | None) -> str | None:
        """The key of the option whose rows have ``widget`` in them."""
        for section in self._sections.values():
            for key, rows in section.rows.items():
                if widget is not None and (widget is rows or rows.isAncestorOf(widget)):
                    return key
        return None

    def options(self) -> tuple[OptionForm, ...]:
        """Every option of the form, in the plan's order."""
        return tuple(
            option for section in self._sections.values() for option in section.form.options
        )

    def changed_sections(self) -> tuple[tuple[str, str], ...]:
        """Name and title of each section that differs from its first values."""
        return tuple(
            (name, section.form.title)
            for name, section in self._sections.items()
            if section.changed()
        )

    def set_effect(
        self, key: str, value: str, effect: Effect | None, *, dimmed: bool = False
    ) -> None:
        """Shows beside an option what choosing ``value`` would change."""
        self._sections[key.split(".", 1)[0]].rows[key].set_effect(value, effect, dimmed=dimmed)

    def sections(self) -> Mapping[str, SectionRows]:
        """The sections by name."""
        return self._sections

    def open_keys(self) -> tuple[str, ...]:
        """The keys of the options that are unfolded."""
        return tuple(
            option.key
            for section in self._sections.values()
            for option in section.form.options
            if section.is_open(option.key)
        )

    def offer_names(self, names: Sequence[str]) -> None:
        """Names of modules that fields of names complete to."""
        self._names = tuple(names)
        for section in self._sections.values():
            for row in section.names():
                row.field.offer(self._names)  # type: ignore[attr-defined]  # names() gives these only

    def set_folded(self, folded: Mapping[str, bool]) -> None:
        """Folds the sections as they were left."""
        self._folded = dict(folded)
        for name, section in self._sections.items():
            if name in folded:
                section.fold.set_folded(folded[name], at_once=True)

    def fold_all(self, folded: bool) -> None:
        """Folds or unfolds every section."""
        for section in self._sections.values():
            section.fold.set_folded(folded, at_once=True)

    def focus_option(self, key: str) -> None:
        """Brings an option into view and gives it the focus."""
        self.filter.clear()
        section = self._sections[key.split(".", 1)[0]]
        section.focus_option(key)
        self._scroll.ensureWidgetVisible(section.rows[key])

    def focus_first(self) -> None:
        """Gives the focus to the first header."""
        first = next(iter(self._sections.values()), None)
        if first is not None:
            first.fold.header.setFocus(Qt.FocusReason.OtherFocusReason)

    # The filter

    def toggle_filter(self, shown: bool | None = None) -> None:
        """Shows the filter with the focus, or clears and hides it."""
        shown = self._filter_bar.isHidden() if shown is None else shown
        self._filter_bar.setVisible(shown)
        if shown:
            self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.filter.selectAll()
        else:
            self.filter.clear()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._filter_bar.isVisible():
            self.toggle_filter(False)
            self.focus_first()
        else:
            super().keyPressEvent(event)

    def _filter(self, text: str) -> None:
        words = text.strip().casefold()
        found = False
        for section in self._sections.values():
            hit = section.matches(words)
            hit = hit and (self._plan is None or section.form.matters(self._plan))
            section.setVisible(hit)
            if hit and words:
                section.fold.set_folded(False, at_once=True)
            found = found or hit
        self._nothing.setVisible(not found)

    # Building

    def _build(self, plan_type: type[Plan]) -> None:
        self._shown = None
        for section in self._sections.values():
            section.hide()
            section.deleteLater()
        self._sections.clear()
        self._pins.clear()
        self._plan_type = plan_type
        for index, form in enumerate(sections_of(plan_type)):
            section = SectionRows(form, self._edits)
            section.fold.set_folded(
                self._folded.get(form.name, index >= _OPEN_AT_FIRST), at_once=True
            )
            section.reset.connect(self.reset)
            section.folded_changed.connect(self._remember_fold)
            for key, rows in section.rows.items():
                pin = self._pins[key] = OptionPin(rows.option, rows)
                pin.toggled_by_user.connect(self.pin_wanted)
            self._sections[form.name] = section
            self._column.insertWidget(self._column.count() - 1, section)
        self.offer_names(self._names)
        self.show_pins(self._pinned)

    def _remember_fold(self, name: str, folded: bool) -> None:
        if not self.filter.text():
            self._folded[name] = folded
            self.folded_changed.emit(dict(self._folded))


def _differs(name: str, now: tuple[Plan, Plan], before: tuple[Plan, Plan] | None) -> bool:
    """Whether a section is to be shown anew; where the plan is the same, an edit was refused."""
    if before is None or now[0] is before[0] or now[0].inference.use != before[0].inference.use:
        return True
    return any(
        getattr(new, name) != getattr(old, name) for new, old in zip(now, before, strict=True)
    )
