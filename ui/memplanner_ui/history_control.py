"""The History view's wishes, and the words at the right of the status bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from memplanner.messages import protocol
from memplanner.messages.history import KeptRun
from memplanner.report import past_runs
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.notices import Notice
from memplanner_ui.views.history_data import PastRuns
from memplanner_ui.views.history_words import accuracy_words, counted, middle_words
from memplanner_ui.workspace import COMPARE

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow


_NAME = translatable("Window", "Runs measured on this device")


class HistoryNote(QPushButton):
    """How well this device's runs were predicted, as a way to them; only an icon where narrow."""

    _LEAST = 30

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words, self._short = "", ""
        self.setAccessibleName(translate("Window", _NAME))
        self.setFlat(True)
        self.setFont(fonts.font("secondary"))
        self.setFixedHeight(fonts.scaled(22))
        self.setStyleSheet("min-height: 0; padding: 0 8px;")
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        icons.set_icon(self, "history", "text2", words=True)
        self.setIconSize(QSize(17, 14))
        self.hide()

    def say(self, words: str, short: str = "") -> None:
        """Shows the words, the short ones where there is less room; nothing where there are none.

        A part of them is never shown: half a number would be a wrong one.
        """
        self._words, self._short = words, short
        self.setAccessibleName(words or translate("Window", _NAME))
        self.setToolTip(translate("Window", "{words}. Press to see them").format(words=words))
        self.setVisible(bool(words))
        self.updateGeometry()
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(self._width_of(self._words), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self._LEAST, super().minimumSizeHint().height())

    def _width_of(self, words: str) -> int:
        return self.fontMetrics().horizontalAdvance(words) + self._LEAST + 8

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        fitting = (one for one in (self._words, self._short) if self._width_of(one) <= self.width())
        self.setText(next(fitting, ""))


class HistoryControl(QObject):
    """Asks for past runs when the engine has started, a run has ended and the view is opened."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._session = window, window.session
        self._view, self._panel = window.workspace.history, window.right.past_run
        self.past = PastRuns()
        self.note = HistoryNote()
        self._asked: int | None = None
        self._shown = self._answered = False
        self._run: KeptRun | None = None
        window.status.addPermanentWidget(self.note)
        action = window.actions_["view_history"]
        self.note.clicked.connect(action.trigger)
        action.enabledChanged.connect(self.note.setEnabled)
        session, document = window.session, window.session.document
        session.engine.greeted.connect(lambda _: self.ask())
        window.runs.running_changed.connect(lambda running: None if running else self.ask())
        document.device_changed.connect(lambda _: self._show())
        document.plan_changed.connect(lambda _: self._explain())
        document.model_changed.connect(self._explain)
        self._view.selected.connect(self.select)
        for source in (self._view.use_wanted, self._panel.use_wanted):
            source.connect(self.use)
        self._panel.compare_wanted.connect(self.compare)

    def set_shown(self, shown: bool) -> None:
        """Follows whether the view is in sight; runs of other programs are there by then."""
        came, self._shown = shown and not self._shown, shown
        if shown:
            self._window.right.show_past_run()
            self._explain()
        if came:
            self._show()
            self.ask()

    def ask(self) -> None:
        """Asks for what is kept."""
        if self._asked is None:
            self._asked = self._session.engine.request(
                protocol.ListRuns, then=self._take, failed=self._fail
            )

    def _take(self, reply: protocol.Runs) -> None:
        self._asked, self._answered = None, True
        if reply.notice:
            self._session.noticed.emit(Notice("caution", reply.notice))
        self.past = PastRuns(reply.runs, reply.total, reply.unreadable, reply.cards)
        self._show()

    def _fail(self, failure: protocol.Failure) -> None:
        self._asked = None
        if failure.error != "EngineEnded":
            self.past, self._answered = PastRuns(), False
            self._view.show_trouble(failure.sentence)
            self.note.say("")

    def _show(self) -> None:
        card = self.past.card_of(self._session.document.device)
        machine = self._session.engine.place.machine
        if self._shown and self._answered:  # a table that nobody sees is not filled
            self._view.show_past(self.past, card, machine)
        runs = () if card is None else self.past.of(card)
        told = past_runs.accuracy(runs)
        if told is None:
            self.note.say("")
            return
        where = (
            translate("Window", "this CPU")
            if runs[0].device.kind == "cpu"
            else translate("Window", "this card")
        )
        if machine:
            where = translate("Window", "{name} on {machine}").format(
                name=runs[0].device.name, machine=machine
            )
        words = translate("Window", "{counted} measured on {where}: {words}").format(
            counted=counted(told.runs), where=where, words=accuracy_words(told)
        )
        self.note.say(words, middle_words(told).capitalize())

    # What is done with a run

    def select(self, run: KeptRun | None) -> None:
        """Explains a run at the right."""
        self._run = run
        self._explain()

    def _explain(self) -> None:
        run = self._run
        if run is None or self._session.document.model is None:
            self._panel.show_run(None)
            return
        own = not self.hindrance(run) and run.plan == self._session.document.plan
        self._panel.show_run(run, self.hindrance(run), own=own)

    def hindrance(self, run: KeptRun) -> str:
        """Why a run's plan cannot become the open one: it is of another model. Else empty."""
        model = self._session.document.model
        if model is not None and model.name == run.model:
            return ""
        return translate(
            "Window", "It is a plan of {model}; open that model to use or compare it."
        ).format(model=run.model)

    def use(self, run: KeptRun) -> None:
        """Makes a run's plan the open one: one edit, which undo takes back."""
        hindrance = self.hindrance(run)
        if hindrance:
            self._session.noticed.emit(Notice("info", hindrance))
        elif run.plan != self._session.document.plan:
            self._session.document.set_plan(
                run.plan,
                translate("Window", "use the plan of {when}").format(when=past_runs.when(run)),
            )

    def compare(self, run: KeptRun) -> None:
        """Keeps a run's plan, and shows it beside the open one."""
        if self.hindrance(run):
            return
        compare = self._window.compare
        known = next((one for one in compare.kept.plans if one.plan == run.plan), None)
        if known is None:
            origin = translate("Window", "from the run of {when}").format(when=past_runs.when(run))
            compare.keep_plan(run.plan, past_runs.plan_words(run.plan), origin)
        else:
            compare.kept.show(known.name, shown=True)
        self._window.workspace.show_view(COMPARE)
