"""The Search view: plans near this one as a scatter over a table of the same."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from memplanner.messages.cost import RISKS
from memplanner.messages.search import FoundPlan, SearchGoal, SearchState
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.views import search_words as words
from memplanner_ui.views.rows import ElidedLabel, label
from memplanner_ui.views.search_data import FoundPlans
from memplanner_ui.views.search_marks import RiskMark
from memplanner_ui.views.search_plot import SearchPlot
from memplanner_ui.views.search_table import SearchTable
from memplanner_ui.views.segments import Segments

_FILLED = translatable("Views", "filled: nothing is both smaller and faster at that risk")
_FILLED_UNTIMED = translatable("Views", "filled: the smallest at that risk, as far as it is known")


class SearchView(QWidget):
    """Shows ``FoundPlans``; tells which is selected and which is to be used."""

    selected = Signal(object)
    """A ``FoundPlan``, or None."""
    use_wanted = Signal(object)
    stop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._found = FoundPlans()
        self._goal = SearchGoal()
        self._selected: FoundPlan | None = None
        self.which = Segments(
            translate("Views", "Plans"),
            (("best", translate("Views", "Best of each risk")), ("all", translate("Views", "All"))),
        )
        self.stop_button = QPushButton(translate("Views", "Stop"))
        self.filter_field = QLineEdit()
        self.copy_button = QToolButton()
        self.plot = SearchPlot()
        self.table = SearchTable()
        self._said = ElidedLabel()
        self._height_title = ElidedLabel()
        self._filled = ElidedLabel(translate("Views", _FILLED))
        self._note = label("", "secondary", "secondary", wrap=True)
        self._set_up()
        self.set_running(False)

    def _set_up(self) -> None:
        self.stop_button.setProperty("small", True)
        self.stop_button.setToolTip(translate("Views", "Keep what has been found so far"))
        self.stop_button.clicked.connect(self.stop_wanted)
        self.which.chosen.connect(lambda _: self.show_found())
        field = self.filter_field
        field.setPlaceholderText(translate("Views", "Filter plans"))
        field.setAccessibleName(translate("Views", "Filter plans by what they change"))
        field.setToolTip(translate("Views", "Words of changes, such as 8-bit loss"))
        field.setClearButtonEnabled(True)
        field.setMinimumWidth(fonts.scaled(90))
        field.setMaximumWidth(fonts.scaled(180))
        action = QAction(field)
        icons.set_icon(action, "search", "text3")
        field.addAction(action, QLineEdit.ActionPosition.LeadingPosition)
        field.textChanged.connect(lambda _: self.show_found())
        icons.set_icon(self.copy_button, "copy", "text2")
        self.copy_button.setFixedSize(26, 26)
        self.copy_button.setAccessibleName(translate("Views", "Copy as a table"))
        self.copy_button.setToolTip(translate("Views", "Copy as a table (Ctrl+C in it)"))
        self.copy_button.clicked.connect(self.table.copy)
        for source in (self.plot.selected, self.table.selected):
            source.connect(self._on_selected)
        self.plot.activated.connect(self._on_activated)
        self.table.activated_plan.connect(self._on_activated)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for said, ink in ((self._said, "secondary"), (self._filled, "faint"),
                          (self._height_title, "secondary")):  # fmt: skip
            said.setFont(fonts.font("secondary"))
            said.setProperty("ink", ink)
        self._said.setAlignment(right)
        self._filled.setAlignment(right)
        above = QHBoxLayout()
        above.setContentsMargins(12, 5, 14, 5)
        above.setSpacing(8)
        above.addWidget(label(translate("Views", "Plans"), "body", "secondary"))
        above.addWidget(self.which)
        above.addWidget(field, 1)
        above.addWidget(self._said, 2)
        above.addWidget(self.copy_button)
        above.addWidget(self.stop_button)
        memory = label(translate("Views", "peak memory, GiB"), "axis", "secondary")
        memory.setContentsMargins(0, 0, 16, 2)
        drawing = QWidget()
        drawn = QVBoxLayout(drawing)
        drawn.setContentsMargins(0, 0, 0, 0)
        drawn.setSpacing(0)
        drawn.addLayout(self._legend())
        self._height_title.setContentsMargins(12, 0, 0, 0)
        drawn.addWidget(self._height_title)
        drawn.addWidget(self.plot, 1)
        drawn.addWidget(memory, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignAbsolute)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setChildrenCollapsible(False)
        parts.addWidget(drawing)
        parts.addWidget(self.table)
        parts.setStretchFactor(0, 5)
        parts.setStretchFactor(1, 4)
        parts.setSizes([380, 260])
        self.table.setMinimumHeight(fonts.scaled(100))
        self._note.setContentsMargins(14, 4, 14, 6)
        self._note.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(above)
        column.addWidget(parts, 1)
        column.addWidget(self._note)

    def _legend(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setContentsMargins(12, 2, 14, 2)
        line.setSpacing(4)
        entries = [
            *((risk, words.risk_title(risk)) for risk in RISKS),
            (None, translate("Views", "This plan")),
        ]
        for risk, title in entries:
            line.addWidget(RiskMark(risk))
            said = label(title, "secondary")
            if risk is not None:
                said.setToolTip(words.risk_tip(risk))
            line.addWidget(said)
            line.addSpacing(10)
        line.addWidget(self._filled, 1)
        return line

    # What is shown

    def show_found(self, found: FoundPlans | None = None, goal: SearchGoal | None = None) -> None:
        """Shows what has been found so far; without arguments the same again."""
        found = self._found = self._found if found is None else found
        goal = self._goal = self._goal if goal is None else goal
        best = found.best()
        self.which.set_title(
            "all",
            translate("Views", "All {count}").format(count=len(found))
            if len(found)
            else translate("Views", "All"),
        )
        plans = best if self.which.is_on("best") else found.all()
        wanted = self.filter_field.text().casefold().split()
        plans = tuple(one for one in plans if _has(one, wanted))
        here = goal.where == "this_device"
        card = found.device if here else None
        axis = found.axis()
        self._filled.set_text(
            translate("Views", _FILLED) if axis.of_time else translate("Views", _FILLED_UNTIMED)
        )
        self.plot.show_plans(found, plans, card=card, margin_bytes=goal.margin_bytes)
        title = axis.title
        if self.plot.logarithmic:
            title = translate("Views", "{axis}, logarithmic").format(axis=title)
        self._height_title.set_text(title)
        self.table.show_plans(found, plans, other_cards=not here, timed=axis.of_time)
        self.select(self._selected, scrolled=False)

    def focus_filter(self) -> None:
        """Puts the cursor into the filter field."""
        self.filter_field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter_field.selectAll()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.filter_field.text():
            self.filter_field.clear()
            event.accept()
            return
        super().keyPressEvent(event)

    def select(self, found: FoundPlan | None, *, scrolled: bool = True) -> None:
        """Shows one plan as the selected one in plot and table."""
        self._selected = found
        self.plot.select(found)
        self.table.select(found, scrolled=scrolled)

    def say(self, text: str) -> None:
        """Says how the search goes on."""
        self._said.set_text(text)

    def note(self, text: str) -> None:
        """What else there is to say of the search; empty for nothing."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def show_state(self, state: SearchState, *, running: bool) -> None:
        """Says how far the search is."""
        self.say(words.state_words(state, running=running))

    def set_running(self, running: bool) -> None:
        """Follows whether a search is under way."""
        if not running and self.stop_button.hasFocus():
            self.table.setFocus()
        self.stop_button.setVisible(running)

    def set_stale(self, stale: bool) -> None:
        """Whether what is shown is of an earlier plan: it is dimmed then, and cannot be used."""
        self.plot.set_dimmed(stale)
        self.table.set_dimmed(stale)

    def _on_selected(self, found: FoundPlan) -> None:
        self.select(found)
        self.selected.emit(found)

    def _on_activated(self, found: FoundPlan) -> None:
        self._on_selected(found)
        if not self._found.is_own(found):
            self.use_wanted.emit(found)


def _has(found: FoundPlan, wanted: Sequence[str]) -> bool:
    """Whether every one of some words is among those of a plan's changes."""
    said = words.said(found).casefold()
    return all(word in said for word in wanted)
