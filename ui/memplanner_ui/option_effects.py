"""Asks the engine what each option would change, whenever an estimate has settled."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner_ui.plan_panel import PlanPanel
from memplanner_ui.plan_panel.effects import PanelEffects
from memplanner_ui.session import Session

SETTLED_MS = 200
"""After the last estimate: a slider that is moved asks for none in between."""


class OptionEffects(QObject):
    """Keeps the plan panel's badges those of the plan as it is."""

    def __init__(self, session: Session, panel: PlanPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._panel = session, panel
        self.shown = PanelEffects(panel)
        self.told_plan: Plan | None = None
        """The plan that effects were asked for last."""
        self._asked: int | None = None
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLED_MS)
        self._settled.timeout.connect(self._ask)
        document = session.document
        document.plan_changed.connect(lambda _: self._outdate())
        document.device_changed.connect(lambda _: self._outdate())
        document.model_changed.connect(self._forget)
        session.answered.connect(self._settled.start)

    @property
    def waits(self) -> bool:
        """Whether effects of the plan as it is are still to come."""
        return self._asked is not None or self._settled.isActive()

    def _outdate(self) -> None:
        self._settled.stop()
        self._asked = None
        self.shown.dim()

    def _forget(self) -> None:
        self._settled.stop()
        self._asked = None
        self.shown.clear()

    def _ask(self) -> None:
        document = self._session.document
        if document.model is None or document.device is None:
            return
        estimate = document.estimate if document.estimate_is_current else None
        self.shown.begin(document.plan, None if estimate is None else estimate.verdict)
        self.told_plan = document.plan
        self._asked = self._session.engine.request(
            protocol.ListEffects,
            plan=document.plan,
            device=document.device.selector,
            first=self._panel.open_keys(),
            event=self._show,
            then=self._end,
            failed=self._end,
        )

    def _show(self, reply: object) -> None:
        if isinstance(reply, protocol.Effect) and reply.id == self._asked:
            self.shown.add(reply.effect)

    def _end(self, reply: protocol.EffectsListed | protocol.Failure) -> None:
        if reply.id == self._asked:
            self._asked = None
            self.shown.finish()
