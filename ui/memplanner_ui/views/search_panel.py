"""The panel that explains the selected plan of a search: verdict, parts, changes, quality."""

from __future__ import annotations

from itertools import groupby

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from memplanner.messages.search import FoundPlan
from memplanner.units import NOTHING, format_bytes, format_difference
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons, theme
from memplanner_ui.views import search_words as words
from memplanner_ui.views.parts import NAMED, PARTS, exact, part_bytes, shown, title_of
from memplanner_ui.views.rows import Panel, Part, label, number
from memplanner_ui.views.search_data import FoundPlans
from memplanner_ui.views.search_marks import RiskMark
from memplanner_ui.views.stacked_bar import StackedBar
from memplanner_ui.views.swatch import icon as swatch_icon

_LONGEST_CHANGE = 120
_NOTHING = translatable(
    "Views", "Select a plan in the plot or the table: this explains what it changes and costs."
)


class FoundPanel(Panel):
    """One found plan, beside the plan as it is; asks to use it or to compare it."""

    use_wanted = Signal(object)
    compare_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Selected plan"), parent)
        self.use_button: QPushButton | None = None
        self.compare_button: QPushButton | None = None
        self._found = FoundPlans()
        self._plan: FoundPlan | None = None
        self._stale = False
        self._price_per_hour: float | None = None
        self._told: tuple[FoundPlan | None, FoundPlan | None, bool] | None = None
        theme.current().changed.connect(self._draw_again)
        self.show_plan(self._found, None)

    def _draw_again(self) -> None:
        self._told = None
        self.show_plan(self._found, self._plan, stale=self._stale)

    def set_price(self, per_hour: float | None) -> None:
        """Tells a price beside time from now on: ``per_hour`` is one card's."""
        self._price_per_hour = per_hour
        self._draw_again()

    def show_plan(self, found: FoundPlans, plan: FoundPlan | None, *, stale: bool = False) -> None:
        """Explains a plan; ``stale``: it is of a plan that is no longer the current one."""
        told = (plan, found.unchanged, stale)
        if told == self._told:
            return  # plans come in many times a second, and so do edits
        self._told = told
        focus = self._focused()
        self._found, self._plan, self._stale = found, plan, stale
        self.use_button = self.compare_button = None
        self.clear_parts()
        if plan is None:
            part = Part()
            part.add(label(translate("Views", _NOTHING), "secondary", "faint", wrap=True))
            self.add_part(part)
            return
        self.add_part(self._head(plan))
        if plan.changes:
            self.add_part(_changes(plan))
        self.add_part(_quality(plan))
        self.add_part(self._ways_out(plan))
        again = {"use": self.use_button, "compare": self.compare_button}.get(focus)
        if again is not None:
            again.setFocus()

    def _focused(self) -> str:
        for name, button in (("use", self.use_button), ("compare", self.compare_button)):
            if button is not None and button.hasFocus():
                return name
        return ""

    def _head(self, plan: FoundPlan) -> Part:
        part = Part()
        whole = self._found.whole_bytes(plan)
        said = words.headline(plan, whole)
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        shape = QLabel()
        shape.setPixmap(icons.icon(said.icon, said.ink).pixmap(20, 20))
        line.addWidget(shape)
        line.addWidget(label(said.text, "notice", wrap=True), 1)
        part.add(row)
        text = translate("Views", "Peak {peak}").format(
            peak=words.peak_words(whole, whole=self._found.is_whole(plan))
        )
        if plan.time is not None:
            text += translate("Views", ", {time} per step").format(time=words.time_words(plan))
        if plan.cards > 1 or not self._found.is_here(plan):
            text += translate("Views", ", on {cards} × {device}").format(
                cards=plan.cards, device=plan.device
            )
        part.add(label(text, "body", "secondary", wrap=True))
        for more in words.beside_words(plan, self._price_per_hour):
            part.add(label(more, "secondary", "secondary", wrap=True))
        own = self._found.unchanged
        values = self._sizes(plan)
        before = None if own is None else self._sizes(own)
        bar = StackedBar(height=14)
        bar.set_values(values, whole + max(0, plan.spare_bytes or 0))
        part.add(bar)
        known = len(PARTS) if self._found.is_whole(plan) else len(NAMED)
        part.add_grid(_rows(values[:known], before, whole), stretch=1)
        return part

    def _sizes(self, plan: FoundPlan) -> tuple[int, ...]:
        """By ``PARTS``; what is around the tensors is overhead, but for other programs."""
        whole = self._found.whole_bytes(plan)
        device = self._found.device
        around = max(0, whole - plan.allocated_bytes)
        here = device is not None and self._found.is_here(plan)
        other = min(around, device.used_bytes) if device is not None and here else 0
        *named, overhead, _ = part_bytes(plan.by_category)
        return (*named, overhead + around - other, other)

    def _ways_out(self, plan: FoundPlan) -> Part:
        part = Part()
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        use = self.use_button = QPushButton(translate("Views", "Use this plan"))
        use.setProperty("primary", True)
        other = not self._found.is_own(plan)
        use.setEnabled(other and not self._stale)
        use.setAccessibleDescription(words.said(plan))
        use.clicked.connect(lambda: self.use_wanted.emit(plan))
        compare = self.compare_button = QPushButton(translate("Views", "Compare"))
        compare.setToolTip(translate("Views", "Put it beside the plan as it is"))
        compare.setEnabled(bool(plan.changes) and not self._stale)
        compare.clicked.connect(lambda: self.compare_wanted.emit(plan))
        line.addWidget(use, 1)
        line.addWidget(compare)
        part.add(row)
        note = translate("Views", "Ctrl Z brings the plan before it back.")
        if self._stale:
            note = translate("Views", "Of the plan before the last change; the search goes on.")
        elif not other:
            note = translate("Views", "This is the plan as it is.")
        part.add(label(note, "secondary", "faint", wrap=True))
        return part


def _rows(
    values: tuple[int, ...], before: tuple[int, ...] | None, whole: int
) -> list[tuple[QWidget, ...]]:
    """Each part that is known with its size, and how that differs from the plan as it is."""
    rows: list[tuple[QWidget, ...]] = []
    printed = shown(values, whole)
    for place, name in enumerate(PARTS[: len(values)]):
        then = 0 if before is None else before[place]
        if not values[place] and not then:
            continue
        square = QLabel()
        square.setPixmap(swatch_icon(name).pixmap(16, 16))
        size = number(format_bytes(printed[place]))
        size.setToolTip(exact(values[place]))
        words_ = NOTHING if before is None else format_difference(values[place], then)
        ink = "faint"
        if words_ != NOTHING:
            ink = "fits" if values[place] < then else "trouble"
        rows.append((square, label(title_of(name), "body", "secondary"), size, number(words_, ink)))
    return rows


def _changes(plan: FoundPlan) -> Part:
    part = Part(translate("Views", "What it changes"))
    told = [(words.change_words(change), change.words) for change in plan.changes]
    for section, group in groupby(told, key=lambda one: one[0].section):
        part.add(label(section, "body"))
        for change, in_short in group:
            name = "" if change.option == section else f"{change.option}: "
            text = f"{name}{change.before or 'none'} → {change.after or 'none'}"
            if len(text) > _LONGEST_CHANGE and in_short:  # names of many modules
                said = label(f"{name}{in_short}", "secondary", "secondary", wrap=True)
                said.setToolTip(change.after)
            else:
                said = label(text, "secondary", "secondary", wrap=True)
            part.add(said)
    return part


def _quality(plan: FoundPlan) -> Part:
    part = Part(translate("Views", "Quality"))
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(4)
    line.addWidget(RiskMark(plan.quality.risk))
    line.addWidget(label(words.risk_title(plan.quality.risk), "body"), 1)
    part.add(row)
    sentences = [reason.sentence for reason in plan.quality.reasons]
    for sentence in sentences or [words.risk_tip(plan.quality.risk)]:
        part.add(label(sentence, "secondary", "secondary", wrap=True))
    if plan.quality.measured is not None:
        measured = translate(
            "Views", "Measured here: perplexity × {measured:.3f} after compression."
        ).format(measured=plan.quality.measured)
        part.add(label(measured, "secondary", "accent", wrap=True))
    elif plan.quality.risk != "same_result":
        part.add(
            label(
                translate("Views", "Not measured on this model."), "secondary", "faint", wrap=True
            )
        )
    return part
