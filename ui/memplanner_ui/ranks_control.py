"""The Sharding view's wishes: other degrees and stages go into the plan, a rank is shown."""

from __future__ import annotations

from PySide6.QtCore import QObject

from memplanner.errors import PlanError
from memplanner.messages.estimate import Estimate
from memplanner.plan import Plan
from memplanner.plan.factoring import DEGREES, Degree, allowed, changed, degree_of
from memplanner.plan.sharding import Sharding
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.session import Session
from memplanner_ui.views.ranks import RanksView
from memplanner_ui.views.ranks_panel import RankPanel

_PREFIX = "sharding."


class RanksControl(QObject):
    """Joins the view, its panel and the session. One change is one undoable command."""

    def __init__(
        self, session: Session, view: RanksView, panel: RankPanel, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._view, self._panel = session, view, panel
        document = session.document
        view.editor.chosen.connect(self.set_degree)
        view.editor.gesture_ended.connect(document.end_gesture)
        view.stage_bar.moved.connect(self.set_stages)
        view.stage_bar.gesture_ended.connect(document.end_gesture)
        view.rank_chosen.connect(session.choose_rank)
        panel.fullest_wanted.connect(lambda: session.choose_rank(None))
        document.plan_changed.connect(self._show_plan)
        document.model_changed.connect(lambda: self._show_plan(document.plan))
        document.estimate_changed.connect(self._show_estimate)
        self._show_plan(document.plan)

    def edit(self, key: str, value: object, merge: bool = False) -> None:
        """An edit of the plan's form: one of a degree takes what follows from it along."""
        degree = degree_of(key)
        section = self._session.document.plan.sharding
        if degree is not None and isinstance(value, int) and value in allowed(section, degree):
            self._put(changed(section, degree, value), degree, value)
        else:
            self._session.edit(key, value, merge)

    def set_degree(self, degree: Degree, value: int) -> None:
        """Gives one degree another value; what divides it follows."""
        self._put(changed(self._session.document.plan.sharding, degree, value), degree, value)

    def set_stages(self, counts: tuple[int, ...]) -> None:
        """Deals the blocks out by hand."""
        words = translate("Window", "blocks of stages {counts}").format(
            counts=", ".join(map(str, counts))
        )
        self._edit({f"{_PREFIX}stage_blocks": list(counts)}, words, f"{_PREFIX}stage_blocks")

    def _put(self, section: Sharding, degree: Degree, value: int) -> None:
        now = self._session.document.plan.sharding
        changes: dict[str, object] = {
            f"{_PREFIX}{name}": getattr(section, name)
            for name in (*DEGREES, "stage_blocks")
            if getattr(section, name) != getattr(now, name)
        }
        self._edit(changes, f"{degree.replace('_', ' ')} {value}", f"{_PREFIX}{degree}")

    def _edit(self, changes: dict[str, object], text: str, merge_key: str) -> None:
        document = self._session.document
        try:
            plan = document.plan.with_values(changes)
        except PlanError as error:  # another section does not go with it
            self._session.noticed.emit(Notice("caution", str(error).removeprefix("the plan: ")))
            document.plan_changed.emit(document.plan)  # fields show what holds
        else:
            document.set_plan(plan, text, merge_key=merge_key)

    def _show_plan(self, plan: Plan) -> None:
        model = self._session.document.model
        self._view.set_plan(plan, takes_sequence=model is None or model.takes_sequence)

    def _show_estimate(self, estimate: Estimate | None) -> None:
        self._view.set_estimate(estimate)
        self._panel.set_estimate(estimate)
