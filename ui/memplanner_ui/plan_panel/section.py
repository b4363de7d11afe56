"""A section of the plan as a fold of rows."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QMenu, QVBoxLayout, QWidget

from memplanner.plan import Plan
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.plan_panel.badge import Effect
from memplanner_ui.plan_panel.fold import Fold
from memplanner_ui.plan_panel.form import OptionForm, SectionForm
from memplanner_ui.plan_panel.rows import (
    LABEL_WIDTH,
    WIDEST_LABEL,
    Choose,
    Edits,
    FieldRow,
    rows_for,
)


class SectionRows(QWidget):
    """Everything of one section. Its first choice stands open; further choices fold."""

    reset = Signal(str)
    """The section is to have its first values again."""
    folded_changed = Signal(str, bool)

    def __init__(self, form: SectionForm, edits: Edits, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = form
        self.rows: dict[str, Choose | FieldRow] = {}
        self._folds: dict[str, Fold] = {}
        self._first: object = None
        self._plan: Plan | None = None
        self.fold = Fold(form.title)
        self.fold.header.explain(form.explanation)
        self.fold.folded_changed.connect(lambda on: self.folded_changed.emit(form.name, on))
        self.fold.header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.fold.header.customContextMenuRequested.connect(
            lambda at: self._open_menu(self.fold.header.mapToGlobal(at))
        )
        for index, option in enumerate(form.options):
            self._add(option, edits, first=index == 0)
        self._align_fields()
        line = QFrame()
        line.setProperty("line", "hairline")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.fold)
        column.addWidget(line)

    def _add(self, option: OptionForm, edits: Edits, *, first: bool) -> None:
        rows = self.rows[option.key] = rows_for(option, edits)
        if option.kind == "choice" and not first:
            inner = self._folds[option.key] = Fold(option.title, level=1)
            inner.header.explain(option.explanation)
            inner.set_folded(True, at_once=True)
            inner.add(rows)
            self.fold.add(inner)
        else:
            self.fold.add(rows)

    def _align_fields(self) -> None:
        fields = [rows for rows in self.rows.values() if isinstance(rows, FieldRow)]
        widest = fonts.scaled(WIDEST_LABEL)
        short = [row.label_width for row in fields if row.label_width <= widest]
        for row in fields:
            row.begin_field_at(max([fonts.scaled(LABEL_WIDTH), *short]))

    def show_plan(self, plan: Plan, first_plan: Plan) -> None:
        """Shows the section as it is in ``plan``; ``first_plan`` is what a reset returns to."""
        self._plan = plan
        self._first = getattr(first_plan, self.form.name)
        for option in self.form.options:
            rows = self.rows[option.key]
            rows.show_plan(plan)
            outer = self._folds.get(option.key, rows)
            _show(outer, option.matters(plan))
            if fold := self._folds.get(option.key):
                fold.header.set_value(option.words(option.value(plan)))
        self.fold.header.set_value(self.form.summary(plan))

    def is_open(self, key: str) -> bool:
        """Whether nothing that is folded hides an option, and its section is there at all."""
        inner = self._folds.get(key)
        return not self.isHidden() and not self.fold.folded and (inner is None or not inner.folded)

    def show_offer(self, key: str, inner: Effect | None, whole: Effect | None) -> None:
        """The best that an option offers, and that the section does, in their headers."""
        if fold := self._folds.get(key):
            fold.header.set_offer(inner)
        self.fold.header.set_offer(whole)

    def dim(self) -> None:
        """The plan has changed: effects are of an earlier one."""
        for rows in self.rows.values():
            rows.dim()
        for fold in (self.fold, *self._folds.values()):
            fold.header.set_offer(fold.header.offer, dimmed=True)

    def matches(self, words: str) -> bool:
        """Shows the rows that ``words`` are found in; whether there are any."""
        everywhere = not words or words in f"{self.form.title} {self.form.name}".casefold()
        found = everywhere
        for option in self.form.options:
            texts = [option.title, option.key, *(choice.title for choice in option.choices)]
            hit = everywhere or any(words in text.casefold() for text in texts)
            shown = hit and (self._plan is None or option.matters(self._plan))
            self._folds.get(option.key, self.rows[option.key]).setVisible(shown)
            if hit and words and (fold := self._folds.get(option.key)):
                fold.set_folded(False, at_once=True)
            found = found or hit
        return found

    def focus_option(self, key: str) -> None:
        """Unfolds to an option and gives it the focus."""
        self.fold.set_folded(False, at_once=True)
        if fold := self._folds.get(key):
            fold.set_folded(False, at_once=True)
        self.rows[key].take_focus()

    def changed(self) -> bool:
        """Whether the section differs from its first values."""
        return self._plan is not None and getattr(self._plan, self.form.name) != self._first

    def names(self) -> Iterator[FieldRow]:
        """The rows that take names of modules."""
        for rows in self.rows.values():
            if isinstance(rows, FieldRow) and rows.option.kind == "names":
                yield rows

    def _open_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        action = menu.addAction(
            translate("Plan panel", "Reset {title}").format(title=self.form.title)
        )
        action.setEnabled(self.changed())
        action.triggered.connect(lambda: self.reset.emit(self.form.name))
        menu.popup(at)


def _show(widget: QWidget, shown: bool) -> None:
    """Shows or hides; what was never hidden is shown with its parent, and that for less."""
    if not shown:
        widget.hide()
    elif widget.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide):
        widget.show()
