"""Asks for plans while the Search view is shown, and puts the one that is chosen into the plan."""

from __future__ import annotations

import time
from collections.abc import Callable

from pydantic import ValidationError
from PySide6.QtCore import QObject, QTimer, Signal

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner.messages.search import FoundPlan, SearchGoal
from memplanner.plan import Plan
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.search_pins import Pins
from memplanner_ui.session import Session
from memplanner_ui.views import search_words as words
from memplanner_ui.views.search import SearchView
from memplanner_ui.views.search_data import FoundPlans, as_found
from memplanner_ui.views.search_form import SearchForm
from memplanner_ui.views.search_panel import FoundPanel

SETTLED_MS = 300
"""After the last change of plan or goal: what is still being edited is not searched for."""
DRAWN_EVERY_MS = 120
"""Plans stream in faster than anyone reads."""
_REST = 4
"""Times what drawing took: the window stays free for the rest."""
_LONGEST_TITLE = 48


class SearchControl(QObject):
    """Keeps the Search view one of the plan, the device and the goal as they are."""

    compare_wanted = Signal(object, str)
    """A ``Plan`` and words for it."""

    def __init__(
        self,
        session: Session,
        pins: Pins,
        view: SearchView,
        form: SearchForm,
        panel: FoundPanel,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session, self._pins = session, pins
        self._view, self._form, self._panel = view, form, panel
        self.found = FoundPlans()
        self._asked: int | None = None
        self._selected: FoundPlan | None = None
        self._shown = False
        self._outdated = True
        self._fresh = False
        """Whether a plan of the search under way has come: until then, the last ones stay."""
        self._arrived: list[FoundPlan] = []
        self._settled = self._timer(SETTLED_MS, self._begin)
        self._drawn = self._timer(DRAWN_EVERY_MS, self._draw)
        document = session.document
        document.plan_changed.connect(lambda _: self._outdate())
        document.device_changed.connect(self._on_device)
        document.model_changed.connect(self._forget)
        session.answered.connect(self._on_answered)
        form.restore(_goal_in(session), session.settings.values.price_per_hour)
        panel.set_price(form.price_per_hour)
        form.changed.connect(self._on_goal)
        form.changed.connect(self._remember)
        form.price_changed.connect(self._on_price)
        form.pin_wanted.connect(pins.set)
        pins.changed.connect(self._on_pins)
        view.selected.connect(self._select)
        view.use_wanted.connect(self.use)
        view.stop_wanted.connect(self.stop)
        panel.use_wanted.connect(self.use)
        panel.compare_wanted.connect(self._compare)
        self._show_form()

    def _timer(self, milliseconds: int, then: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(then)
        return timer

    @property
    def searching(self) -> bool:
        """Whether a search is under way, or about to begin."""
        return self._asked is not None or self._settled.isActive()

    def set_shown(self, shown: bool) -> None:
        """Follows whether the view is shown: it searches only then."""
        self._shown = shown
        if shown and self._outdated:
            self._settled.start()

    # Searching

    def _begin(self) -> None:
        document = self._session.document
        if not self._shown or document.model is None or document.device is None:
            return
        self._outdated, self._fresh = False, False
        self._arrived.clear()
        self._view.say(translate("Window", "Searching"))
        self._view.set_running(True)
        self._asked = self._session.engine.request(
            protocol.SearchPlans,
            plan=document.plan,
            device=document.device.selector,
            goal=self._form.goal(),
            event=self._on_found,
            then=self._on_ended,
            failed=self._on_failure,
        )

    def stop(self) -> None:
        """Ends the search with what it has found."""
        if self._asked is not None:
            self._session.engine.request(protocol.StopSearch)

    def _on_found(self, reply: object) -> None:
        if isinstance(reply, protocol.PlansFound) and reply.id == self._asked:
            self._arrived += reply.plans
            self._view.show_state(reply.state, running=True)
            if not self._drawn.isActive():
                self._drawn.start()

    def _on_ended(self, reply: protocol.SearchEnded) -> None:
        if reply.id != self._asked:
            return
        self._asked = None
        self._drawn.stop()
        if reply.chosen is not None:
            self._arrived.append(reply.chosen)
        self._draw()
        self._view.set_running(False)
        self._view.show_state(reply.state, running=False)
        self._view.note(" ".join(reply.notes))
        if self._selected is None:
            self._select(self.found.newest(reply.chosen) or self.found.unchanged)

    def _on_failure(self, failure: protocol.Failure) -> None:
        if failure.id != self._asked:
            return
        self._asked = None
        self._outdated = failure.error == "EngineEnded"
        self._view.set_running(False)
        self._view.say(failure.sentence)

    def _draw(self) -> None:
        """Shows what has come since the last time; the first of a search replaces the last's."""
        document = self._session.document
        if not self._fresh:
            self._fresh = True
            estimate = document.estimate if document.estimate_is_current else None
            own = None if estimate is None else as_found(estimate)
            self.found = FoundPlans()
            self.found.begin(document.plan, document.device, own)
            self._selected = None
            self._view.set_stale(False)
        started = time.perf_counter()
        self.found.add(self._arrived)
        self._arrived.clear()
        self._selected = self.found.newest(self._selected)
        self._form.show_ways(self.found.ways())
        self._view.select(self._selected, scrolled=False)
        self._view.show_found(self.found, self._form.goal())
        self._show_selected()
        milliseconds = 1000 * (time.perf_counter() - started)
        self._drawn.setInterval(max(DRAWN_EVERY_MS, round(_REST * milliseconds)))

    # What makes it begin anew

    def _on_answered(self) -> None:
        if self._shown and self._outdated:
            self._settled.start()

    def _on_goal(self) -> None:
        self._outdated = True
        self._view.set_stale(True)
        if self._shown:
            self._settled.start()

    def _remember(self) -> None:
        """Keeps the goal for the next start; pins are of a model."""
        goal = self._form.goal().model_copy(update={"pinned": ()})
        self._session.settings.update(search_goal=goal.model_dump(mode="json"))

    def _on_price(self) -> None:
        price = self._form.price_per_hour
        self._session.settings.update(price_per_hour=price)
        self._panel.set_price(price)

    def _on_pins(self) -> None:
        self._show_form()
        self._on_goal()

    def _on_device(self) -> None:
        self._show_device()
        self._outdate()

    def _outdate(self) -> None:
        """The plan or the device is another one; its estimate comes first."""
        self._show_form()
        self._give_up()
        self._outdated = True
        self._view.set_stale(True)
        self._show_selected()

    def _give_up(self) -> None:
        self._settled.stop()
        self._drawn.stop()
        self._arrived.clear()
        if self._asked is not None:
            self.stop()
            self._asked = None
            self._view.set_running(False)

    def _forget(self) -> None:
        self._give_up()
        self._pins.forget()
        self.found = FoundPlans()
        self._selected = None
        self._outdated = True
        self._show_form()
        self._form.show_ways({})
        self._view.say("")
        self._view.note("")
        self._view.show_found(self.found)
        self._show_selected()

    def _show_device(self) -> None:
        session = self._session
        self._form.show_device(session.document.device, session.engine.place.machine)

    def _show_form(self) -> None:
        document = self._session.document
        self._show_device()
        self._form.show_plan(document.plan, self._pins.keys)

    # The plan that is chosen

    def _select(self, found: FoundPlan | None) -> None:
        self._selected = found
        self._view.select(found)
        self._show_selected()

    def _show_selected(self) -> None:
        self._panel.show_plan(self.found, self._selected, stale=self._stale)

    @property
    def _stale(self) -> bool:
        """Whether what was found is of another plan or device than the open ones."""
        document, then = self._session.document, self.found.device
        if then is None or document.device is None:
            return True
        return self.found.base != document.plan or then.selector != document.device.selector

    def _plan_of(self, found: FoundPlan) -> Plan | None:
        try:
            return self.found.plan_of(found)
        except PlanError as error:
            self._session.noticed.emit(Notice("caution", str(error).removeprefix("the plan: ")))
            return None

    def use(self, found: FoundPlan) -> None:
        """Makes a found plan the plan, in one step of the history; and its card the device."""
        document = self._session.document
        plan = self._plan_of(found)
        if plan is None or self._stale:
            return
        device = next(
            (one for one in self._session.devices if found.device in (one.selector, one.name)), None
        )
        document.set_plan(plan, title_of(found))
        if device is not None and device != document.device:
            self._session.choose_device(device)

    def _compare(self, found: FoundPlan) -> None:
        plan = self._plan_of(found)
        if plan is not None:
            self.compare_wanted.emit(plan, title_of(found))


def _goal_in(session: Session) -> SearchGoal:
    """The goal as it was left; the usual one where another version remembered it otherwise."""
    try:
        return SearchGoal.model_validate(session.settings.values.search_goal)
    except ValidationError:
        return SearchGoal()


def title_of(found: FoundPlan) -> str:
    """What the history calls taking a plan: its changes, or their number where they are many."""
    text = words.said(found)
    return (
        text
        if len(text) <= _LONGEST_TITLE
        else translate("Window", "{count} changes of a found plan").format(count=len(found.changes))
    )
