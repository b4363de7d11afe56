"""Opening models and plans: what is asked of the engine, and what becomes of the answer."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner_ui.engine_words import is_path, looked_up
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.settings import Recent
from memplanner_ui.trainer_files import TrainerFiles, is_plan, may_be_trainers
from memplanner_ui.views.notice import Fix

if TYPE_CHECKING:
    from memplanner_ui.session import Session

SNAPSHOT_ENDINGS = (".pickle", ".pkl", ".snapshot")
"""How memory snapshots of torch are usually called."""
PROGRAMS = ("recipe", "importable")
"""The kinds of sources that are programs themselves."""


class Openings:
    """What a session opens, one after the other."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting_plan: Path | None = None
        self._trainers = TrainerFiles(session, self.wait_for_model)
        self.at_work = False
        """A model is being opened."""

    def open(self, source: str, inputs: tuple[str, ...], trust_code: bool, keep_plan: bool) -> None:
        """Opens a model, or a plan when ``source`` is a plan's file or a trainer's."""
        session = self._session
        if source.lower().endswith(SNAPSHOT_ENDINGS):
            session.snapshot_wanted.emit(source)
            return
        if may_be_trainers(source):
            self.open_plan(Path(source))
            return
        if session.locked:
            what = translate("Window", "A plan is running; stop it before another model is opened.")
            session.noticed.emit(Notice("info", what))
            return
        if os.path.exists(source) and not session.engine.place.remote:
            source = os.path.abspath(source)  # as recent ones are opened from anywhere
        session.solved.emit()
        session.say_working(translate("Window", "Opening {source}").format(source=_short(source)))
        self.at_work = True
        session.engine.request(
            protocol.OpenModel,
            source=source,
            inputs=inputs,
            trust_code=trust_code,
            event=session.on_progress,
            then=lambda reply: self._on_opened(source, inputs, trust_code, keep_plan, reply),
            failed=lambda failure: self._on_not_opened(source, inputs, trust_code, failure),
        )

    def _on_opened(
        self,
        source: str,
        inputs: tuple[str, ...],
        trust_code: bool,
        keep_plan: bool,
        reply: protocol.Opened,
    ) -> None:
        session = self._session
        session.end_work()
        session.selection.select(None)
        session.document.open_model(
            source,
            reply.model,
            reply.plan,
            inputs=inputs,
            # the engine keeps what was agreed to, and asks again when the program changes
            trust_code=trust_code and reply.model.kind not in PROGRAMS,
            notes=reply.notes,
            keep_plan=keep_plan,
        )
        detail = f"{reply.model.class_name}, {_kind_words(reply.model.kind)}"
        if session.engine.place.remote and is_path(source):
            detail += f", {session.engine.place.where}"
        session.settings.remember(
            Recent(
                source=source,
                title=reply.model.name,
                detail=detail,
                inputs=inputs,
                opened=time.time(),
            )
        )
        if self._waiting_plan is not None:
            path, self._waiting_plan = self._waiting_plan, None
            self.open_plan(path)
        session.estimate()

    def _on_not_opened(
        self, source: str, inputs: tuple[str, ...], trust_code: bool, failure: protocol.Failure
    ) -> None:
        session = self._session
        session.end_work()
        if failure.trust_needed:
            self.ask_for_trust(source, inputs, failure.sentence)
            return
        if failure.error != "EngineEnded":
            again = Fix(
                translate("Window", "Open {source} once more, when that is put right").format(
                    source=_short(source)
                ),
                "",
                translate("Window", "Open again"),
                lambda: session.open(source, inputs=inputs, trust_code=trust_code),
            )
            where = looked_up(session.engine.place, source)
            fixes = [again]
            if failure.error == "PackageMissing":
                words = translate(
                    "Window", "Choose another Python, or another machine, for the engine"
                )
                fixes.insert(
                    0, Fix(words, "", translate("Window", "Choose…"), session.place_wanted.emit)
                )
            session.noticed.emit(Notice.of(failure, where, tuple(fixes)))

    def ask_for_trust(
        self, source: str, inputs: tuple[str, ...], sentence: str, keep_plan: bool = False
    ) -> None:
        """Offers to run the code of a source; until then nothing of it is run."""
        fix = Fix(
            translate("Window", "Run the code of {source}").format(source=_short(source)),
            "",
            translate("Window", "Run its code"),
            lambda: self._session.open(source, inputs=inputs, trust_code=True, keep_plan=keep_plan),
        )
        meaning = translate(
            "Window",
            "It would run in the engine process with your rights to files and network; "
            "agree only if you know where it is from.",
        )
        self._session.noticed.emit(Notice("caution", sentence, meaning, (fix,)))

    def wait_for_model(self, path: Path) -> None:
        """Opens a plan's file, or a trainer's, when the next model is open."""
        self._waiting_plan = path

    def open_plan(self, path: Path) -> None:
        """Opens a plan's file, or a trainer's; without a model it waits for the one opened next."""
        session = self._session
        far = session.engine.place.remote and not path.exists()
        if far or (path.exists() and not is_plan(path)):
            self._trainers.open(path)
            return
        if session.document.model is None:
            self.wait_for_model(path)
            words = translate("Window", "{name} is used for the model you open next.").format(
                name=path.name
            )
            session.noticed.emit(
                Notice("info", words, translate("Window", "A plan does not name a model."))
            )
            return
        try:
            session.document.open_plan(path)
        except PlanError as error:
            session.noticed.emit(Notice("trouble", str(error)))
            return
        session.solved.emit()
        title, detail = (
            path.name,
            translate("Window", "plan for {name}").format(name=session.document.model.name),
        )
        recent = Recent(
            source=str(path), title=title, detail=detail, kind="plan", opened=time.time()
        )
        session.settings.remember(recent)


def _short(source: str) -> str:
    text = source.removeprefix("preset:")
    return Path(text).name or text


def _kind_words(kind: str) -> str:
    return kind.replace("_", " ")
