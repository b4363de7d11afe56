"""A trainer's own file, dropped or opened: its plan, and what a plan has no place for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner.plan.file import read_plan
from memplanner_ui.engine_words import looked_up
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.views.notice import Fix

if TYPE_CHECKING:
    from memplanner_ui.session import Session

_MOST_SENTENCES = 6
"""In a notice; a command lists them all."""


def may_be_trainers(path: str) -> bool:
    """Whether a file is no model but what a trainer reads: YAML, JSON or a shell file."""
    name = Path(path).name.lower()
    if name.endswith(".json"):
        return name != "config.json" and not name.endswith(".index.json") and Path(path).is_file()
    return name.endswith((".yaml", ".yml", ".sh"))


def is_plan(path: Path) -> bool:
    """Whether the file is a plan of memplanner without a mistake."""
    try:
        read_plan(path)
    except PlanError:
        return False
    return True


class TrainerFiles:
    """Has the engine read trainers' files, and sets the plan that they mean."""

    def __init__(self, session: Session, wait_for_model: Callable[[Path], None]) -> None:
        self._session, self._wait_for_model = session, wait_for_model
        self._opening = ""
        """The file whose model is being opened."""

    def open(self, path: Path) -> None:
        """Asks for the file's plan; without an open model, its own is opened first."""
        session = self._session
        session.engine.request(
            protocol.ImportPlan,
            path=str(path.absolute()),
            plan=session.document.plan,
            then=lambda reply: self._on_imported(path, reply),
            failed=lambda failure: session.noticed.emit(
                Notice.of(failure, looked_up(session.engine.place, str(path)))
            ),
        )

    def _on_imported(self, path: Path, reply: protocol.Imported) -> None:
        session = self._session
        model = session.document.model
        if model is None:
            self._open_model_of(path, reply)
            return
        session.document.set_plan(
            reply.plan, translate("Window", "open {name}").format(name=path.name)
        )
        session.solved.emit()
        fixes: tuple[Fix, ...] = ()
        source = reply.source
        if source is not None and source != session.document.source and str(path) != self._opening:
            fixes = (
                Fix(
                    translate("Window", "The file names {model}; {name} is open").format(
                        model=reply.model, name=model.name
                    ),
                    "",
                    translate("Window", "Open its model"),
                    lambda: session.open(source, keep_plan=True),
                ),
            )
        self._opening = ""
        what = translate("Window", "The plan is that of {name}, a file of {title}.").format(
            name=path.name, title=reply.title
        )
        session.noticed.emit(
            Notice("caution" if reply.no_place else "info", what, meaning(reply), fixes)
        )

    def _open_model_of(self, path: Path, reply: protocol.Imported) -> None:
        session = self._session
        self._wait_for_model(path)
        if reply.source is None or str(path) == self._opening:
            words = translate("Window", "{name} is used for the model you open next.").format(
                name=path.name
            )
            session.noticed.emit(
                Notice("info", words, translate("Window", "It does not name a model."))
            )
            return
        self._opening = str(path)
        session.open(reply.source)


def meaning(reply: protocol.Imported) -> str:
    """What the plan does not hold of the file, and how what it leaves open was taken."""
    sentences = [*reply.no_place, *reply.notes]
    more = len(sentences) - _MOST_SENTENCES
    if more > 0:
        sentences = [
            *sentences[:_MOST_SENTENCES],
            translate("Window", "And {more} more: memplanner check lists all.").format(more=more),
        ]
    return " ".join(sentences)
