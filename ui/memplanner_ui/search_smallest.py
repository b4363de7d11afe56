"""Looks for the smallest change with which a plan fits, whenever it does not, and for Fit…."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner.messages.estimate import Verdict
from memplanner.messages.search import SearchGoal, SmallestChange
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.search_control import title_of
from memplanner_ui.search_pins import Pins
from memplanner_ui.session import Session
from memplanner_ui.views import search_words as words
from memplanner_ui.views.notice import Fix
from memplanner_ui.views.smallest_change import SmallestChangeBar, effect_of

SETTLED_MS = 300
"""After the last estimate: a slider that is moved asks for nothing in between."""
MOST = 4
"""Changes that Fit… lists; the Search view has the others."""


class SmallestControl(QObject):
    """Keeps the bar over the layers one of the plan as it is, and answers Fit…."""

    more_wanted = Signal()
    """The Search view is to be shown."""

    def __init__(
        self, session: Session, pins: Pins, bar: SmallestChangeBar, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._pins, self._bar = session, pins, bar
        self._asked: int | None = None
        self._known: protocol.SmallestChanges | None = None
        self._asked_of: tuple[object, ...] = ()
        """Plan, device and pins of the last question."""
        self._fit_wanted = False
        self._noticed = False
        """Whether the notice that is shown is one of Fit…."""
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLED_MS)
        self._settled.timeout.connect(self._ask_if_needed)
        document = session.document
        document.plan_changed.connect(lambda _: self._outdate())
        document.device_changed.connect(lambda _: self._outdate())
        document.model_changed.connect(self._forget)
        session.answered.connect(self._on_answered)
        pins.changed.connect(self._on_pins)
        bar.chosen.connect(self.choose)
        bar.more_wanted.connect(self.more_wanted)

    @property
    def waits(self) -> bool:
        """Whether an answer is still to come."""
        return self._asked is not None or self._settled.isActive()

    def fit(self) -> None:
        """Lists the smallest changes that fit; of a plan that fits, what it leaves unused."""
        self._fit_wanted = True
        if self._known is not None:
            self._show_list(self._known)
        elif self._asked is None:
            self._ask()
        if self._fit_wanted and self._asked is not None:
            self._session.noticed.emit(
                Notice("info", translate("Window", "Looking for the smallest change."))
            )
            self._noticed = True

    def choose(self, change: SmallestChange) -> None:
        """Makes a change, in one step of the history."""
        document = self._session.document
        try:
            plan = document.plan.with_values({one.key: one.after for one in change.found.changes})
        except PlanError as error:
            self._session.noticed.emit(Notice("caution", str(error).removeprefix("the plan: ")))
        else:
            document.set_plan(plan, title_of(change.found))

    # Asking

    def _on_answered(self) -> None:
        if self._asked_of != self._subject():  # an estimate of another rank asks nothing new
            self._known = None
            self._settled.start()

    def _on_pins(self) -> None:
        self._bar.outdate()  # what it offers may change what is pinned
        self._on_answered()

    def _subject(self) -> tuple[object, ...]:
        document = self._session.document
        return document.plan, document.device, self._pins.keys

    def _ask_if_needed(self) -> None:
        estimate = self._session.document.estimate
        if estimate is None or estimate.verdict in (None, "fits"):
            self._bar.clear()
            if not self._fit_wanted:
                return
        else:
            self._bar.show_waiting()
        self._ask()

    def _ask(self) -> None:
        document = self._session.document
        if document.model is None or document.device is None:
            return
        self._asked_of = self._subject()
        self._asked = self._session.engine.request(
            protocol.FindSmallestChange,
            plan=document.plan,
            device=document.device.selector,
            goal=SearchGoal(pinned=self._pins.keys),
            then=self._on_found,
            failed=self._on_failure,
        )

    def _on_found(self, reply: protocol.SmallestChanges) -> None:
        if reply.id != self._asked:
            return  # of another plan than the open one
        self._asked, self._known = None, reply
        if reply.fits_already:
            self._bar.clear()
        else:
            self._bar.show_change(next(iter(reply.changes), None), self._peak())
        if self._fit_wanted:
            self._show_list(reply)

    def _on_failure(self, failure: protocol.Failure) -> None:
        if failure.id != self._asked:
            return
        self._asked, self._asked_of = None, ()
        self._bar.clear()
        if self._fit_wanted and failure.error != "EngineEnded":
            self._session.noticed.emit(Notice.of(failure))
        self._fit_wanted = False

    def _outdate(self) -> None:
        self._settled.stop()
        self._asked, self._known, self._fit_wanted = None, None, False
        self._asked_of = ()
        self._bar.outdate()
        if self._noticed:
            self._noticed = False
            self._session.solved.emit()

    def _forget(self) -> None:
        self._outdate()
        self._bar.clear()

    # The list of Fit…

    def _peak(self) -> int | None:
        estimate = self._session.document.estimate
        if estimate is None:
            return None
        device = estimate.peak.device_bytes
        return estimate.peak.allocated_bytes if device is None else device

    def _show_list(self, reply: protocol.SmallestChanges) -> None:
        self._fit_wanted, self._noticed = False, True
        estimate = self._session.document.estimate
        verdict = None if estimate is None else estimate.verdict
        peak = self._peak()
        fixes = tuple(
            Fix(
                f"{_capital(words.said(change.found))}\n{words.smallest_words(change)}",
                effect_of(change, peak),
                translate("Window", "Choose"),
                partial(self.choose, change),
            )
            for change in reply.changes[:MOST]
        )
        more = Fix(
            translate("Window", "Every plan that is worth a look"),
            "",
            translate("Window", "More plans…"),
            self.more_wanted.emit,
        )
        self._session.noticed.emit(Notice("info", *_said(reply, verdict), (*fixes, more)))


def _said(reply: protocol.SmallestChanges, verdict: Verdict | None) -> tuple[str, str]:
    """What there is to say of a plan with a verdict, and of its changes."""
    if reply.fits_already and reply.changes:
        return translate("Window", "The plan fits, and leaves something unused."), translate(
            "Window", "With the same result, sooner:"
        )
    if reply.fits_already:
        return translate("Window", "The plan fits."), translate(
            "Window", "No change that gives the same result is faster."
        )
    if reply.changes:
        risky = verdict == "at_risk"
        what = (
            translate("Window", "The plan may not fit.")
            if risky
            else translate("Window", "The plan does not fit.")
        )
        return what, translate("Window", "The smallest changes with which it does:")
    meaning = translate("Window", "Unpin options, take a larger card, or several.")
    return translate(
        "Window", "No change that a search tries makes this plan fit this device."
    ), meaning


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
