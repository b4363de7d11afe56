"""Shows a run in every part of the window that has something to say about it."""

from __future__ import annotations

from PySide6.QtCore import QObject

from memplanner.messages.run import RunEvent, RunResult, RunStarted
from memplanner_ui.header import Header
from memplanner_ui.language import translatable, translate
from memplanner_ui.panes import LeftDock, RightDock
from memplanner_ui.run_control import RunControl
from memplanner_ui.status_bar import StatusBar
from memplanner_ui.workspace import LIVE, Workspace

_OUTCOMES = {
    "finished": (translatable("Window", "finished"), "accent"),
    "stopped": (translatable("Window", "stopped"), "accent"),
    "out_of_memory": (translatable("Window", "out of memory"), "trouble"),
    "failed": (translatable("Window", "failed"), "trouble"),
}


class RunDisplay(QObject):
    """Feeds the Live view, both docks, the header and the status bar."""

    def __init__(
        self,
        runs: RunControl,
        workspace: Workspace,
        left: LeftDock,
        right: RightDock,
        header: Header,
        status: StatusBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._runs = runs
        self._workspace = workspace
        self._left, self._right = left, right
        self._header, self._status = header, status
        self._parts = (workspace.live.view, left.run, right.progress)
        runs.started.connect(self._start)
        runs.happened.connect(self._handle)
        left.run.stop_after_step.connect(runs.stop)
        left.run.stop_now.connect(runs.stop_at_once)

    def clear(self) -> None:
        """Nothing has run: the model was closed."""
        self._runs.forget()
        self._header.step.set_result(None)
        self._workspace.timeline.set_result(None)
        for part in self._parts:
            part.clear()

    def show_running(self) -> None:
        """Follows whether a plan runs."""
        running = self._runs.running
        self._workspace.live.form.setVisible(not running)
        self._workspace.tabs.mark(LIVE, running)
        self._left.set_running(running)

    def show_view(self, view: str) -> None:
        """On the Live view the docks show the run, on others the plan and the module."""
        runs = self._runs
        live = view == LIVE and runs.ever_started
        ended_well = runs.result is not None and runs.result.outcome in ("finished", "stopped")
        self._left.show_run(live and (runs.running or ended_well))
        word, ink = (translate("Window", "applying"), "accent") if runs.running else ("", "plain")
        if runs.result is not None and not runs.running:
            said, ink = _OUTCOMES[runs.result.outcome]
            word = translate("Window", said)
        self._right.show_progress(live, word, ink)

    def _start(self, started: RunStarted) -> None:
        for part in self._parts:
            part.start(started)
        self._left.run.expect(self._header.step.time_of(started.plan))
        self._header.step.set_result(None)
        self._workspace.timeline.set_result(None)
        self._workspace.show_view(LIVE)
        self.show_view(LIVE)
        self._status.say(
            translate("Window", "Running on {name}, process {process_id}").format(
                name=started.device.name, process_id=started.process_id
            ),
            "apply",
        )

    def _handle(self, event: RunEvent) -> None:
        for part in self._parts:
            part.handle(event)
        if isinstance(event, RunResult):
            if event.saved is not None:
                self._workspace.live.form.set_save(None)  # the folder is there now
            self._header.step.set_result(event)
            self._workspace.timeline.set_result(event)
            good = event.outcome in ("finished", "stopped")
            mark = ("check", "fits") if good else ("caution", "trouble")
            self._status.say(event.sentence, *mark)
