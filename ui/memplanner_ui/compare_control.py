"""The Compare view's wishes: plans are kept, estimated side by side, and used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QInputDialog

from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner.report.differences import Compared, size_words
from memplanner.report.parts import whole_peak_bytes
from memplanner.report.settings import differing
from memplanner.units import NOTHING
from memplanner_ui.compare_kept import KeptPlans, Named
from memplanner_ui.days import day_words
from memplanner_ui.document import NEW_PLAN
from memplanner_ui.language import of_plan, translate
from memplanner_ui.notices import Notice
from memplanner_ui.session import Session
from memplanner_ui.views.compare import MOST_BASELINES, CompareView
from memplanner_ui.views.compare_list import Entry
from memplanner_ui.views.compare_panel import ComparePanel
from memplanner_ui.views.notice import Fix

OPEN = ""
"""The key of the open plan; a kept plan's is its name."""
_WORDS_IN_NAME = 3


@dataclass(frozen=True, slots=True)
class _Figures:
    """What the engine said of a plan on a device."""

    plan: Plan
    device: str
    outcome: protocol.ComparedPlan


class CompareControl(QObject):
    """Joins the session, the plans that are kept, the view and the list at its left."""

    said = Signal(str)
    """What was done, in a few words."""

    def __init__(
        self, session: Session, view: CompareView, panel: ComparePanel, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._view, self._panel = session, view, panel
        self.kept = KeptPlans(session.settings, self)
        self._figures: dict[str, _Figures] = {}
        self._visible = False
        self._open_shown = True
        self._baseline = OPEN
        self._asked: int | None = None
        self._asked_for: tuple[str, dict[str, Plan]] = ("", {})
        """The device, and by key the plans, of the request under way."""
        document = session.document
        document.model_changed.connect(self._on_model)
        document.plan_changed.connect(lambda _: self._show_waiting())
        document.device_changed.connect(lambda _: self._show())
        document.title_changed.connect(self._show_entries)
        session.answered.connect(self._ask)
        self.kept.changed.connect(self._on_kept)
        panel.keep_wanted.connect(self.keep)
        panel.plans.toggled.connect(self.toggle)
        panel.acted.connect(self.act)
        view.baseline_chosen.connect(self._choose_baseline)
        view.use_wanted.connect(lambda place: self.use(self._shown_keys()[place]))

    @property
    def waits(self) -> bool:
        """Whether the engine still estimates plans of the view."""
        return self._asked is not None

    def set_visible(self, visible: bool) -> None:
        """Follows whether the view is in sight: else nothing is estimated for it."""
        if visible != self._visible:
            self._visible = visible
            self._show()
            self._ask()

    # What there is

    def compared(self) -> tuple[Compared, ...]:
        """The plans side by side, with the engine's last figures."""
        found = []
        for key in self._shown_keys():
            figures = self._figures_of(key)
            waiting = protocol.ComparedPlan(sentence=translate("Window", "Not estimated yet."))
            outcome = waiting if figures is None else figures.outcome
            found.append(Compared(self._name(key), outcome.estimate, outcome.sentence))
        return tuple(found)

    def others(self) -> tuple[Compared, ...]:
        """The kept plans side by side with the open one that are estimated for this device."""
        keys = [key for key in self._shown_keys() if key != OPEN and self._known(key)]
        outcomes = [self._figures[key].outcome for key in keys]
        return tuple(
            Compared(key, one.estimate, one.sentence)
            for key, one in zip(keys, outcomes, strict=True)
        )

    def _figures_of(self, key: str) -> _Figures | None:
        """What is known of a plan on this device, the older where nothing newer is."""
        document = self._session.document
        estimate, device = document.estimate, document.device
        if device is None:
            return None
        if key == OPEN and estimate is not None and not self._known(key):
            here = estimate.device.selector == device.selector and self._session.rank is None
            if here and document.estimate_is_current:
                outcome = protocol.ComparedPlan(estimate=estimate)
                return _Figures(document.plan, device.selector, outcome)
        figures = self._figures.get(key)
        return figures if figures is not None and figures.device == device.selector else None

    def _plan(self, key: str) -> Plan | None:
        if key == OPEN:
            return self._session.document.plan
        named = self.kept.find(key)
        return None if named is None else named.plan

    def _name(self, key: str) -> str:
        document = self._session.document
        return key or document.plan_name + ("*" if document.dirty else "")

    def _keys(self) -> list[str]:
        return [OPEN, *(one.name for one in self.kept.plans if one.plan is not None)]

    def _shown_keys(self) -> list[str]:
        kept = [one.name for one in self.kept.plans if one.kept.shown and one.plan is not None]
        return [OPEN, *kept] if self._open_shown or not kept else kept

    def _known(self, key: str) -> bool:
        """Whether the figures are those of the plan as it is, on this device."""
        figures, device = self._figures.get(key), self._session.document.device
        return (
            figures is not None
            and device is not None
            and (figures.plan, figures.device) == (self._plan(key), device.selector)
        )

    # Figures

    def _on_model(self) -> None:
        document = self._session.document
        self._figures.clear()
        self._asked = None
        self._baseline, self._open_shown = OPEN, True
        self.kept.open(document.source if document.model is not None else None)

    def _on_kept(self) -> None:
        self._show()
        self._ask()

    def _ask(self) -> None:
        """Asks for what is shown, and then for the peaks that the list tells of the others."""
        document = self._session.document
        if not self._visible or document.model is None or document.device is None:
            return
        shown = self._shown_keys()
        wanted = shown
        if all(map(self._known, shown)):  # together, so that other programs hold the same in all
            wanted = [key for key in self._keys() if not self._known(key)]
        pairs = [(key, plan) for key in wanted if (plan := self._plan(key)) is not None]
        if not pairs:
            self._asked = None
            self._show()
            return
        count = len(pairs)
        self._view.set_waiting(
            translate("Window", "estimating {count} plans").format(count=count)
            if count > 1
            else translate("Window", "estimating")
        )
        self._asked_for = (document.device.selector, dict(pairs))
        self._asked = self._session.engine.request(
            protocol.ComparePlans,
            plans=tuple(plan for _, plan in pairs),
            device=document.device.selector,
            then=self._take,
            failed=self._fail,
        )

    def _take(self, reply: protocol.Compared) -> None:
        if reply.id != self._asked:
            return
        device, plans = self._asked_for
        for (key, plan), outcome in zip(plans.items(), reply.outcomes, strict=True):
            self._figures[key] = _Figures(plan, device, outcome)
        self._asked = None
        self._show()
        self._ask()

    def _fail(self, failure: protocol.Failure) -> None:
        if failure.id == self._asked:
            self._asked = None
            self._view.set_waiting("")
            if failure.error != "EngineEnded":  # that has a notice of its own
                self._session.noticed.emit(Notice.of(failure))

    # What is shown

    def _show(self) -> None:
        if not self._visible:
            return  # and nothing is laid out for nobody while a slider is moved
        self._show_waiting()
        self._show_entries()
        keys = self._shown_keys()
        baseline = keys.index(self._baseline) if self._baseline in keys[:MOST_BASELINES] else 0
        open_place = keys.index(OPEN) if OPEN in keys else -1
        self._view.show_plans(self.compared(), baseline, open_place)

    def _show_waiting(self) -> None:
        if self._visible and not self.waits:
            current = all(map(self._known, self._shown_keys()))
            self._view.set_waiting("" if current else "estimating")

    def _show_entries(self) -> None:
        if not self._visible:
            return
        shown = self._shown_keys()

        def entry(key: str, detail: str, named: Named | None = None) -> Entry:
            place = shown.index(key) if key in shown else None
            trouble = named is not None and bool(named.trouble)
            pinned = named is not None and named.kept.pinned
            return Entry(key, self._name(key), detail, self._peak(key), place, pinned, trouble)

        entries = [entry(OPEN, translate("Window", "this plan"))]
        entries += [entry(one.name, one.trouble or _detail(one), one) for one in self.kept.plans]
        self._panel.show_entries(entries)
        count = (
            translate("Window", "{shown} of {all} shown").format(shown=len(shown), all=len(entries))
            if len(entries) > 1
            else ""
        )
        self._panel.counted.emit(count)

    def _peak(self, key: str) -> str:
        figures = self._figures_of(key)
        if figures is None:
            return ""
        estimate = figures.outcome.estimate
        return (
            translate("Window", "cannot run")
            if estimate is None
            else size_words(whole_peak_bytes(estimate))
        )

    def _choose_baseline(self, place: int) -> None:
        self._baseline = self._shown_keys()[place]
        self._show()

    # Acts

    def keep(self) -> None:
        """Keeps the open plan under a name made of what it changes."""
        document = self._session.document
        known = next((one for one in self.kept.plans if one.plan == document.plan), None)
        if known is not None:
            self.kept.show(known.name, shown=True)
            self._panel.plans.select(known.name)
            self.said.emit(translate("Window", "Already kept: {name}").format(name=known.name))
        elif document.model is not None:
            name = document.plan_name
            if document.path is None or name == translate("Window", NEW_PLAN):
                name = self._words()
            self.keep_plan(document.plan, name)

    def keep_plan(self, plan: Plan, name: str, origin: str = "") -> None:
        """Keeps a plan for comparing; ``origin`` says where it is from."""
        free = self.kept.keep(plan, name, origin)
        if free:
            self._panel.plans.select(free)
            self.said.emit(translate("Window", "Kept for comparing: {name}").format(name=free))

    def _words(self) -> str:
        document = self._session.document
        changed = differing([document.first_plan, document.plan])
        named, numbers = [], []
        for one in changed:
            word = one.values[1]
            if word in ("on", "off") or word.replace(".", "").isdigit():
                title = of_plan(one.title.rpartition(": ")[2])
                numbers.append(f"{title.lower()} {of_plan(word)}")
            elif word != NOTHING:
                named.append(of_plan(word))
        named += numbers  # what is chosen tells plans apart sooner than a batch
        return ", ".join(named[:_WORDS_IN_NAME]) or translate("Window", "First plan")

    def toggle(self, key: str) -> None:
        """Puts a plan side by side with the others, or takes it out; one always stays."""
        shown = self._shown_keys()
        if key in shown and len(shown) == 1:
            return
        if key == OPEN:
            self._open_shown = key not in shown
            self._show()
            self._ask()
        else:
            self.kept.show(key, key not in shown)

    def use(self, key: str) -> None:
        """Makes a kept plan the open one: one edit, which undo takes back."""
        plan = self._plan(key)
        if plan is not None and key != OPEN:
            self._session.document.set_plan(plan, translate("Window", "use {key}").format(key=key))

    def act(self, what: str, key: str) -> None:
        """Does what the list's menu names to a plan."""
        named = self.kept.find(key)
        if named is None:
            return
        if what == "use":
            self.use(key)
        elif what == "duplicate":
            self._panel.plans.select(self.kept.duplicate(key))
        elif what == "rename":
            self._ask_name(key)
        elif what == "pin":
            self.kept.pin(key, not named.kept.pinned)
        elif what == "delete":
            self.delete(named)

    def delete(self, named: Named) -> None:
        """Keeps a plan no longer; a notice offers it back."""
        self.kept.delete(named.name)
        self._figures.pop(named.name, None)
        if named.plan is not None:
            plan, origin = named.plan, named.kept.origin

            def back() -> None:
                self.keep_plan(plan, named.name, origin)
                self._session.solved.emit()

            fix = Fix(
                translate("Window", "Keep it again under the same name"),
                "",
                translate("Window", "Keep again"),
                back,
            )
            words = translate("Window", "“{name}” is no longer kept.").format(name=named.name)
            self._session.noticed.emit(Notice("info", words, "", (fix,)))

    def rename(self, key: str, name: str) -> None:
        """Gives a kept plan another name."""
        new = self.kept.rename(key, name)
        if new != key:
            if key in self._figures:
                self._figures[new] = self._figures.pop(key)
            if self._baseline == key:
                self._baseline = new
            self._show()
            self._panel.plans.select(new)

    def _ask_name(self, key: str) -> None:
        dialog = QInputDialog(self._panel)
        dialog.setWindowTitle(translate("Window", "Rename the plan"))
        dialog.setLabelText(translate("Window", "Name"))
        dialog.setTextValue(key)
        dialog.textValueSelected.connect(lambda name: self.rename(key, name))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _detail(named: Named) -> str:
    """Where a plan is from and when it was kept: ``from Search, today 14:02``."""
    when = _when(named.kept.kept, time.time())
    words = (
        f"{named.kept.origin}, {when}"
        if named.kept.origin
        else translate("Window", "kept {when}").format(when=when)
    )
    return (
        translate("Window", "pinned, {words}").format(words=words) if named.kept.pinned else words
    )


def _when(then: float, now: float) -> str:
    at, today = time.localtime(then), time.localtime(now)
    if (at.tm_year, at.tm_yday) == (today.tm_year, today.tm_yday):
        return translate("Window", "today {time}").format(time=f"{at.tm_hour:02}:{at.tm_min:02}")
    return day_words(date.fromtimestamp(then), year=at.tm_year != today.tm_year)
