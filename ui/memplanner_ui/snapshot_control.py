"""Opening a memory snapshot of torch: read by the engine, shown in the Timeline."""

from __future__ import annotations

from PySide6.QtCore import QObject

from memplanner.messages import protocol
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.session import Session
from memplanner_ui.workspace import TIMELINE, Workspace


class SnapshotControl(QObject):
    """Reads one snapshot at a time; a run that is under way goes first."""

    def __init__(self, session: Session, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._workspace = session, workspace
        self.reading = False
        session.snapshot_wanted.connect(self.open)
        document = session.document
        document.model_changed.connect(lambda: workspace.timeline_pages.show_snapshot(None))

    def open(self, path: str) -> None:
        """Reads the file, with progress in the status bar, and shows it."""
        if self.reading:
            return
        if self._session.document.model is None:
            words = translate(
                "Window",
                "Open the model that the snapshot is of first; it is shown beside its plan.",
            )
            self._session.noticed.emit(Notice("info", words))
            return
        self._session.solved.emit()
        self.reading = True
        self._session.engine.request(
            protocol.ReadSnapshot,
            path=path,
            event=self._on_progress,
            then=self._on_read,
            failed=self._on_failure,
        )

    def stop(self) -> bool:
        """Ends reading at once; whether there was any."""
        if self.reading:
            self._session.engine.request(protocol.StopRun, now=True)
        return self.reading

    def _on_progress(self, reply: object) -> None:
        if isinstance(reply, protocol.Progress):
            self._session.working.emit(reply.text, reply.fraction)

    def _on_read(self, reply: protocol.SnapshotRead) -> None:
        self._end()
        self._workspace.timeline_pages.show_snapshot(reply.snapshot)
        self._workspace.show_view(TIMELINE)

    def _on_failure(self, failure: protocol.Failure) -> None:
        self._end()
        if failure.error != "EngineEnded":
            self._session.noticed.emit(Notice.of(failure))

    def _end(self) -> None:
        self.reading = False
        self._session.working.emit("", None)
