"""What the window shows when: of the model, the plan, the estimate, the engine and the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from memplanner.messages.estimate import Estimate
from memplanner.plan import Plan
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.notices import Notice
from memplanner_ui.run_display import RunDisplay
from memplanner_ui.workspace import COMPARE, DETAILS, HISTORY, LAYERS, RANKS, SEARCH

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

FOLDS_BELOW = 1180
"""Narrower than this, the right dock becomes a tab."""


class WindowDisplay(QObject):
    """Feeds the parts of a window that is assembled; decides nothing but what is visible."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.main_view = LAYERS
        """The view that is shown, or was before the Details tab."""
        self._run = RunDisplay(
            window.runs,
            window.workspace,
            window.left,
            window.right,
            window.header,
            window.status,
            self,
        )

    def show_model(self) -> None:
        """Shows that a model was opened or closed, and everything that follows from it."""
        window, document = self._window, self._window.session.document
        opened = document.model is not None
        if not opened and window.pages.currentWidget() is window.workspace:
            window.keep_layout()
        window.pages.setCurrentWidget(window.workspace if opened else window.start)
        window.header.setVisible(opened)
        self.clear_notices()
        window.start.side.rebuild()
        self.show_running()
        self.show_plan(document.plan)
        self.show_title()
        self.show_estimate(document.estimate)
        if opened:
            window.setFocus()  # what opened it may be gone, and Qt would go on to the next button
            for note in document.notes[:1]:
                self.show_notice(Notice("info", note, " ".join(document.notes[1:])))
        else:
            self._run.clear()
            window.workspace.show_view(LAYERS)
            window.status.say(translate("Window", "No model open"))
        self.show_view()

    def show_plan(self, plan: Plan) -> None:
        """Puts a plan into the form, the run’s form and the title; forms need a model first."""
        window, document = self._window, self._window.session.document
        if document.model is not None:
            window.left.plan.show_plan(plan, document.first_plan)
            window.workspace.live.form.set_plan(plan, document.model)
        self.show_title()

    def show_title(self) -> None:
        """Names the model and the plan in the title, with a mark where it is not saved."""
        window, document = self._window, self._window.session.document
        window.left.show_plan_name(document.plan_name, document.dirty)
        if document.model is None:
            window.setWindowTitle("memplanner")
            window.setWindowModified(False)
            return
        window.setWindowTitle(
            translate("Window", "{name}, {plan_name}[*] – memplanner").format(
                name=document.model.name, plan_name=document.plan_name
            )
        )
        window.setWindowModified(document.dirty)

    def show_estimate(self, estimate: Estimate | None) -> None:
        """Hands an estimate to the parts that always show it; None while there is none."""
        window, document = self._window, self._window.session.document
        window.header.set_estimate(estimate)
        window.workspace.layers.set_estimate(estimate)
        window.workspace.timeline_pages.set_estimate(estimate)
        if document.model is not None:
            window.status.show_estimate(estimate)
        if estimate is not None:
            leaves = {
                layer.name.rsplit(".", 1)[-1] for layer in estimate.layers if layer.parameters
            }
            window.left.plan.offer_names(sorted(name for name in leaves if not name.isdigit()))

    def show_running(self) -> None:
        """Shows whether a run goes on; at its end, asks the devices what is free on them."""
        window, document = self._window, self._window.session.document
        running = window.runs.running
        opened = document.model is not None
        window.actions_.enable(model=opened, run=running)
        window.tools.show_state(model=opened, run=running)
        self._run.show_running()
        if not running:
            window.session.refresh_devices()
        self.show_view()

    def show_view(self) -> None:
        """Follows a change of the view: actions, docks, and what the docks explain."""
        window = self._window
        view = window.workspace.current
        window.actions_.check_view(view)
        self._run.show_view(view)
        self._explain(self.main_view if view == DETAILS else view)
        self.show_docks()

    def compare_found(self, plan: Plan, name: str) -> None:
        """Keeps a plan that a search has found, and shows it beside the open one."""
        window = self._window
        window.compare.keep_plan(plan, name, translate("Window", "found by a search"))
        window.workspace.show_view(COMPARE)

    def _explain(self, view: str) -> None:
        """Shows in the docks what belongs to a view; the Details tab is of the view before it."""
        window, document = self._window, self._window.session.document
        self.main_view = view
        if view == RANKS:
            window.right.show_rank()
        elif view == SEARCH:
            window.left.show_search()
            window.right.show_found()
        elif view == COMPARE:
            window.left.show_plans()
        window.compare.set_visible(view == COMPARE and document.model is not None)
        window.search.set_shown(view == SEARCH and document.model is not None)
        window.history.set_shown(view == HISTORY and document.model is not None)

    def show_docks(self) -> None:
        """Shows the docks that are wanted; the right one is a tab where the window is narrow."""
        window, document = self._window, self._window.session.document
        opened = document.model is not None
        right_wanted = opened and window.actions_["right_dock"].isChecked()
        right_wanted = right_wanted and self.main_view != COMPARE  # the plans take all the room
        narrow = window.width() < fonts.scaled(FOLDS_BELOW)
        window.left.setVisible(opened and window.actions_["left_dock"].isChecked())
        window.changes.setVisible(opened and window.actions_["plan_changes"].isChecked())
        window.right.fold_into(window.workspace, right_wanted and narrow)
        window.right.setVisible(right_wanted and not narrow)

    def show_notice(self, notice: Notice) -> None:
        """Shows a notice at the top of what is shown."""
        window, document = self._window, self._window.session.document
        if document.model is None:
            window.start.notice.show_notice(notice.kind, notice.what, notice.meaning, notice.fixes)
        else:
            window.workspace.show_notice(notice)
        if notice.kind == "trouble" and document.model is None:
            window.status.say(notice.what, "caution", "trouble")

    def clear_notices(self) -> None:
        """Takes every notice away."""
        window, document = self._window, self._window.session.document
        window.start.notice.clear()
        window.workspace.notice.clear()
        window.closing.forget()
        if document.model is None:
            window.status.say(translate("Window", "No model open"))

    def show_work(self, words: str, share: float | None) -> None:
        """Says what the engine is at, and how far (0 to 1, None where not known)."""
        window = self._window
        window.status.show_work(words)
        window.workspace.progress.set_work(bool(words), share)

    def show_run_device(self) -> None:
        """Tells the run’s form on which device, and where, a run would go."""
        window = self._window
        window.workspace.live.form.set_device(window.runs.device(), window.session.engine.place)
