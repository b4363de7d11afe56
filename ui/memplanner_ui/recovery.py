"""Keeps a plan that no file has while it is worked on, and offers it after a crash."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.writing import why
from memplanner_ui.days import day_words
from memplanner_ui.language import plural, translate
from memplanner_ui.notices import Notice
from memplanner_ui.recovery_files import LeftBehind, RecoveryFiles, UnsavedPlan
from memplanner_ui.recovery_writer import StateWriter
from memplanner_ui.views.notice import Fix

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

KEEP_AFTER_MS = 1000


class Recovery(QObject):
    """Follows the document; writes at most once a second, into a folder beside the settings."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._session = window.session
        self._document = window.session.document
        self.files = RecoveryFiles(window.session.settings.path.parent / "unsaved")
        self._writer = StateWriter()
        self._writer.failed.connect(self._not_written)
        self._left: list[LeftBehind] = []
        self._wanted: LeftBehind | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(KEEP_AFTER_MS)
        self._later.timeout.connect(self.keep_soon)
        self._document.title_changed.connect(self._follow)
        self._document.plan_changed.connect(lambda _: self._follow())
        self._document.model_changed.connect(self._on_model)

    def _follow(self) -> None:
        if not self._later.isActive():
            self._later.start()

    def keep(self) -> None:
        """Brings this window's file up to date, and waits until it is."""
        self.keep_soon()
        self._writer.finish()

    def keep_soon(self) -> None:
        """Takes the plan as it is now; it is written beside the window."""
        self._later.stop()
        document, files = self._document, self.files
        if document.source is None or document.model is None or not document.dirty:
            self._writer.write(files.forget)
            return
        unsaved = UnsavedPlan(
            source=document.source,
            inputs=document.inputs,
            model=document.model.name,
            plan=document.plan.to_dict(),
            plan_file="" if document.path is None else str(document.path),
            changes=document.history.index(),
            last_change=document.history.undoText(),
            written=time.time(),
        )
        self._writer.write(lambda: files.keep(unsaved))

    def _not_written(self, reason: str) -> None:
        words = translate("Window", "{path} could not be written: {reason}.")
        self._window.log.add(words.format(path=self.files.path, reason=reason))

    def end(self) -> None:
        """The window closes in order: nothing is left to recover."""
        self._later.stop()
        self._writer.finish()
        try:
            self.files.forget()
        except OSError as error:
            self._window.log.add(
                translate("Window", "{path} could not be removed: {reason}.").format(
                    path=self.files.path, reason=why(error)
                )
            )

    # After a crash

    def offer(self) -> bool:
        """Says what a window left that did not end in order, and how to have it again.

        Returns whether there is anything.
        """
        self._left = self._left or self.files.left_behind()
        if not self._left:
            return False
        left = self._left[0]
        unsaved = left.unsaved
        at = datetime.fromtimestamp(unsaved.written)
        when = f"{day_words(at.date(), digits=2)}, {at:%H:%M}"
        edits = plural("Window", "{count} edits", "one edit", unsaved.changes).format(
            count=unsaved.changes
        )
        kept = translate("Window", "It has {edits}, kept {when}.").format(edits=edits, when=when)
        if unsaved.last_change:
            kept = translate("Window", "It has {edits}, the last “{change}”, kept {when}.").format(
                edits=edits, change=unsaved.last_change, when=when
            )
        report = self._window.crashes.way_to_last
        self._window.show_notice(
            Notice(
                "caution",
                translate(
                    "Window", "A plan of {model} was not saved when its window ended."
                ).format(model=unsaved.model),
                kept,
                (
                    Fix(
                        translate("Window", "Open it again"),
                        "",
                        translate("Window", "Restore"),
                        lambda: self.restore(left),
                    ),
                    Fix(
                        translate("Window", "Leave it"),
                        "",
                        translate("Window", "Discard"),
                        lambda: self.discard(left),
                    ),
                    *(() if report is None else (report,)),
                ),
            )
        )
        return True

    def restore(self, left: LeftBehind) -> None:
        """Opens the model; the plan follows when the model is there, which may take a question."""
        self._wanted = left
        self._session.open(left.unsaved.source, inputs=left.unsaved.inputs)

    def discard(self, left: LeftBehind) -> None:
        """Removes what was left, and offers the next."""
        self._left = [one for one in self._left if one is not left]
        try:
            self.files.discard(left)
        except OSError as error:
            self._window.log.add(
                translate("Window", "{path} could not be removed: {reason}.").format(
                    path=left.path, reason=why(error)
                )
            )
        self._window.display.clear_notices()
        self.offer()

    def _on_model(self) -> None:
        document, left = self._document, self._wanted
        self._wanted = None
        if left is None or document.model is None or document.source != left.unsaved.source:
            return
        try:
            plan = Plan.parse(left.unsaved.plan, origin=left.unsaved.model)
        except PlanError as error:
            self._session.noticed.emit(Notice("trouble", str(error)))
            return
        path = Path(left.unsaved.plan_file) if left.unsaved.plan_file else None
        document.restore(plan, path)
        self.keep()
        self._left = [one for one in self._left if one is not left]
        self.files.discard(left)
