"""Joins the icicle to the session: the estimate, the selection and layers at other moments."""

from __future__ import annotations

from PySide6.QtCore import QObject

from memplanner_ui.session import Session
from memplanner_ui.views.icicle import IcicleView


class IcicleControl(QObject):
    """What the view asks for goes to the session, and what comes from there to the view."""

    def __init__(self, session: Session, view: IcicleView, parent: QObject) -> None:
        super().__init__(parent)
        document = session.document
        view.module_selected.connect(session.selection.select)
        view.moment_requested.connect(session.list_layers)
        session.layers_arrived.connect(view.set_layers)
        session.selection.changed.connect(view.select)
        document.estimate_changed.connect(view.set_estimate)
        document.model_changed.connect(lambda: view.set_estimate(document.estimate))
        view.set_estimate(document.estimate)
