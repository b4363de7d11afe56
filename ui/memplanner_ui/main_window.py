"""The window: puts the parts together and says which are shown when."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QEvent, QPoint, Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from memplanner.messages.estimate import Estimate
from memplanner.plan import Plan
from memplanner_ui.actions import Actions
from memplanner_ui.closing import Closing
from memplanner_ui.commands import Commands
from memplanner_ui.compare_control import CompareControl
from memplanner_ui.dropping import DropWindow
from memplanner_ui.engine import EngineState
from memplanner_ui.engine_log import EngineLog
from memplanner_ui.header import Header
from memplanner_ui.history_control import HistoryControl
from memplanner_ui.icicle_control import IcicleControl
from memplanner_ui.layer_choices import LayerChoices
from memplanner_ui.look import type as fonts
from memplanner_ui.notices import Notice
from memplanner_ui.option_effects import OptionEffects
from memplanner_ui.palette import Palette
from memplanner_ui.panes import LeftDock, RightDock
from memplanner_ui.ranks_control import RanksControl
from memplanner_ui.report_file import ReportFile
from memplanner_ui.run_control import RunControl
from memplanner_ui.run_display import RunDisplay
from memplanner_ui.search_control import SearchControl
from memplanner_ui.search_pins import Pins
from memplanner_ui.search_smallest import SmallestControl
from memplanner_ui.sensitivity_control import SensitivityControl
from memplanner_ui.session import Session
from memplanner_ui.snapshot_control import SnapshotControl
from memplanner_ui.start_page import StartPage
from memplanner_ui.status_bar import StatusBar
from memplanner_ui.tool_bar import ToolBar
from memplanner_ui.workspace import (
    COMPARE,
    DETAILS,
    HISTORY,
    LAYERS,
    RANKS,
    SEARCH,
    Workspace,
)

LAYOUT_VERSION = 1
FOLDS_BELOW = 1180
"""Narrower than this, the right dock becomes a tab."""


class MainWindow(DropWindow):
    """Assembly only: what things do is in ``Session``, ``RunControl`` and ``Commands``."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.runs = RunControl(session, self)
        self.setMinimumSize(760, 480)
        self.resize(1440, 900)
        self.workspace = Workspace()
        self.left = LeftDock(self)
        self.right = RightDock(self)
        self.log = EngineLog(self)
        self.header = Header(self)
        self.status = StatusBar()
        self.palette_ = Palette(self)
        self.commands = Commands(self)
        self.actions_ = Actions(self.commands.handlers(), self)
        self.menus = self.actions_.fill(self.menuBar())
        self.tools = ToolBar(session, self.actions_, self)
        self.start = StartPage(session, self.actions_)
        self._pages = QStackedWidget()
        self._main_view = LAYERS
        """The view that is shown, or was before the Details tab."""
        self._display = RunDisplay(
            self.runs, self.workspace, self.left, self.right, self.header, self.status, self
        )
        self.effects = OptionEffects(session, self.left.plan, self)
        self.layer_choices = LayerChoices(session, self.workspace.layers, self.right.module, self)
        self.sensitivity = SensitivityControl(
            session, self.runs, self.layer_choices, self.workspace.sensitivity, self
        )
        self.ranks = RanksControl(session, self.workspace.ranks, self.right.rank, self)
        self.icicle = IcicleControl(session, self.workspace.icicle, self)
        self.compare = CompareControl(session, self.workspace.compare, self.left.plans, self)
        self.report = ReportFile(session, self.compare, self.runs, self)
        self.snapshots = SnapshotControl(session, self.workspace, self)
        self.history = HistoryControl(self)
        self.pins = Pins(self)
        self.search = SearchControl(
            session, self.pins, self.workspace.search, self.left.search, self.right.found, self
        )
        self.smallest = SmallestControl(session, self.pins, self.workspace.layers.smallest, self)
        self._closing = Closing(self.close, self.commands.save_then)
        self._assemble()
        self._connect()
        self._restore()
        self._show_model()
        self.setFocus()  # else Qt would put it on the first button, with a ring

    def _assemble(self) -> None:
        self.addToolBar(self.tools)
        self.addToolBarBreak()
        self.addToolBar(self.header)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.left)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.right)
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.log)
        corners = (
            (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
            (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
        )
        for corner, area in corners:
            self.setCorner(corner, area)
        widths = [self.left.width_at_first, self.right.width_at_first]
        self.resizeDocks([self.left, self.right], widths, Qt.Orientation.Horizontal)
        self._pages.addWidget(self.start)
        self._pages.addWidget(self.workspace)
        self.setCentralWidget(self._pages)
        self.setStatusBar(self.status)
        self._recent_menu = QMenu("Open recent", self)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self.menus["File"].insertMenu(self.actions_["save_plan"], self._recent_menu)
        for dock, name in ((self.left, "left_dock"), (self.right, "right_dock")):
            self.actions_[name].setChecked(True)
            dock.setProperty("action", name)
        for name, button in (
            ("filter_options", self.left.filter_button),
            ("", self.left.menu_button),
        ):
            if name:
                button.clicked.connect(self.actions_[name].trigger)
            else:
                button.clicked.connect(lambda: self._open_plan_menu())

    def _connect(self) -> None:
        session, document = self.session, self.session.document
        document.model_changed.connect(self._show_model)
        document.plan_changed.connect(self._show_plan)
        document.estimate_changed.connect(self._show_estimate)
        document.title_changed.connect(self._show_title)
        document.device_changed.connect(lambda _: self._show_run_device())
        session.devices_changed.connect(self._show_run_device)
        self.actions_.follow_history(document.history)
        self.dropped.connect(session.open)
        self.hangs_over.connect(self.start.drop_zone.set_over)
        session.noticed.connect(self.show_notice)
        session.solved.connect(self._clear_notices)
        session.working.connect(self._show_work)
        session.layers_arrived.connect(self.workspace.layers.set_layers)
        session.detail_arrived.connect(self.right.module.set_detail)
        session.selection.changed.connect(self.workspace.layers.select)
        for chosen in (
            self.workspace.layers.module_selected,
            self.workspace.sensitivity.layer_chosen,
            self.left.run.layer_chosen,
        ):
            chosen.connect(session.selection.select)
        self.workspace.layers.moment_requested.connect(session.list_layers)
        self.workspace.view_changed.connect(lambda _: self._show_view())
        plan = self.left.plan
        plan.edited.connect(self.ranks.edit)
        plan.gesture_ended.connect(document.end_gesture)
        plan.reset.connect(document.reset_section)
        plan.pin_wanted.connect(self.pins.set)
        plan.show_pins(self.pins.keys)
        self.pins.changed.connect(lambda: plan.show_pins(self.pins.keys))
        self.smallest.more_wanted.connect(lambda: self.workspace.show_view(SEARCH))
        self.search.compare_wanted.connect(self._compare_found)
        plan.folded_changed.connect(lambda folded: session.settings.update(folded=folded))
        form = self.workspace.live.form
        form.steps_changed.connect(lambda steps: session.settings.update(steps=steps))
        self.runs.running_changed.connect(lambda _: self._show_running())
        for told in (self.compare.said, self.report.said):
            told.connect(lambda words: self.status.say(words, "check", "fits"))
        engine = session.engine
        engine.state_changed.connect(self._show_engine)
        engine.greeted.connect(lambda _: self._show_engine(engine.state))
        engine.log_line.connect(self.log.add)
        session.log_wanted.connect(self.log.show)
        self.log.visibilityChanged.connect(
            lambda _: self.actions_["engine_log"].setChecked(not self.log.isHidden())
        )
        self.status.stop_wanted.connect(self._stop_work)
        session.settings.failed.connect(self.log.add)

    def _stop_work(self) -> None:
        """A snapshot is read apart from the engine, which need not end for it."""
        if not self.snapshots.stop():
            self.session.cancel()

    def _restore(self) -> None:
        values = self.session.settings.values
        self.left.plan.set_folded(values.folded)
        self.workspace.live.form.steps.setValue(values.steps)
        self.actions_[f"scheme_{values.scheme}"].setChecked(True)
        if values.geometry:
            self.restoreGeometry(QByteArray.fromBase64(values.geometry.encode()))
        if values.layout:
            self.restoreState(QByteArray.fromBase64(values.layout.encode()), LAYOUT_VERSION)
            self.actions_["left_dock"].setChecked(not self.left.isHidden())
            self.actions_["right_dock"].setChecked(not self.right.isHidden())

    # What is shown when

    def _show_model(self) -> None:
        document = self.session.document
        opened = document.model is not None
        if not opened and self._pages.currentWidget() is self.workspace:
            self._keep_layout()
        self._pages.setCurrentWidget(self.workspace if opened else self.start)
        self.header.setVisible(opened)
        self._clear_notices()
        self.start.side.rebuild()
        self._show_running()
        self._show_plan(document.plan)
        self._show_title()
        self._show_estimate(document.estimate)
        if opened:
            self.setFocus()  # what opened it may be gone, and Qt would go on to the next button
            for note in document.notes[:1]:
                self.show_notice(Notice("info", note, " ".join(document.notes[1:])))
        else:
            self._display.clear()
            self.workspace.show_view(LAYERS)
            self.status.say("No model open")
        self._show_view()

    def _show_plan(self, plan: Plan) -> None:
        document = self.session.document
        self.left.plan.show_plan(plan, document.first_plan)
        self.workspace.live.form.set_plan(plan, document.model)
        self._show_title()

    def _show_title(self) -> None:
        document = self.session.document
        self.left.show_plan_name(document.plan_name, document.dirty)
        if document.model is None:
            self.setWindowTitle("memplanner")
            self.setWindowModified(False)
            return
        self.setWindowTitle(f"{document.model.name}, {document.plan_name}[*] – memplanner")
        self.setWindowModified(document.dirty)

    def _show_estimate(self, estimate: Estimate | None) -> None:
        self.header.set_estimate(estimate)
        self.workspace.layers.set_estimate(estimate)
        self.workspace.timeline_pages.set_estimate(estimate)
        if self.session.document.model is not None:
            self.status.show_estimate(estimate)
        if estimate is not None:
            leaves = {
                layer.name.rsplit(".", 1)[-1] for layer in estimate.layers if layer.parameters
            }
            self.left.plan.offer_names(sorted(name for name in leaves if not name.isdigit()))

    def _show_running(self) -> None:
        running = self.runs.running
        opened = self.session.document.model is not None
        self.actions_.enable(model=opened, run=running)
        self.tools.show_state(model=opened, run=running)
        self._display.show_running()
        if not running:
            self.session.refresh_devices()
        self._show_view()

    def _show_view(self) -> None:
        view = self.workspace.current
        self.actions_.check_view(view)
        self._display.show_view(view)
        self._explain(self._main_view if view == DETAILS else view)
        self.show_docks()

    def _compare_found(self, plan: Plan, name: str) -> None:
        """Keeps a plan that a search has found, and shows it beside the open one."""
        self.compare.keep_plan(plan, name, "found by a search")
        self.workspace.show_view(COMPARE)

    def _explain(self, view: str) -> None:
        """Shows in the docks what belongs to a view; the Details tab is of the view before it."""
        self._main_view = view
        if view == RANKS:
            self.right.show_rank()
        elif view == SEARCH:
            self.left.show_search()
            self.right.show_found()
        elif view == COMPARE:
            self.left.show_plans()
        self.compare.set_visible(view == COMPARE and self.session.document.model is not None)
        self.search.set_shown(view == SEARCH and self.session.document.model is not None)
        self.history.set_shown(view == HISTORY and self.session.document.model is not None)

    def show_docks(self) -> None:
        """Shows the docks that are wanted; the right one is a tab where the window is narrow."""
        opened = self.session.document.model is not None
        right_wanted = opened and self.actions_["right_dock"].isChecked()
        right_wanted = right_wanted and self._main_view != COMPARE  # the plans take all the room
        narrow = self.width() < fonts.scaled(FOLDS_BELOW)
        self.left.setVisible(opened and self.actions_["left_dock"].isChecked())
        self.right.fold_into(self.workspace, right_wanted and narrow)
        self.right.setVisible(right_wanted and not narrow)

    def panes(self) -> list[QWidget]:
        """The parts that F6 goes through, in order."""
        if self.session.document.model is None:
            return [self.tools, self.start.presets, self.start.side]
        return [self.tools, self.left, self.workspace.tabs, self.workspace.views, self.right]

    def show_notice(self, notice: Notice) -> None:
        """Shows a notice at the top of what is shown."""
        if self.session.document.model is None:
            self.start.notice.show_notice(notice.kind, notice.what, notice.meaning, notice.fixes)
        else:
            self.workspace.show_notice(notice)
        if notice.kind == "trouble" and self.session.document.model is None:
            self.status.say(notice.what, "caution", "trouble")

    def _clear_notices(self) -> None:
        self.start.notice.clear()
        self.workspace.notice.clear()
        self._closing.forget()
        if self.session.document.model is None:
            self.status.say("No model open")

    def _show_work(self, words: str, share: float | None) -> None:
        self.status.show_work(words)
        self.workspace.progress.set_work(bool(words), share)

    def _show_engine(self, state: EngineState) -> None:
        self.status.show_engine(state, self.session.engine.info)

    def _show_run_device(self) -> None:
        self.workspace.live.form.set_device(self.runs.device())

    # Menus and closing

    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for recent in self.session.settings.values.recent:
            action = self._recent_menu.addAction(f"{recent.title}\t{recent.detail}")
            action.setToolTip(recent.source)
            action.triggered.connect(
                lambda _=False, one=recent: self.session.open(one.source, inputs=one.inputs)
            )
        if self._recent_menu.isEmpty():
            self._recent_menu.addAction("Nothing opened yet").setEnabled(False)

    def _open_plan_menu(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.commands.fill_plan_menu(menu)
        button = self.left.menu_button
        menu.popup(button.mapToGlobal(QPoint(0, button.height())))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._clear_notices()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.session.refresh_devices()  # other programs may hold more or less by now

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.show_docks()

    def closeEvent(self, event: QCloseEvent) -> None:
        question = self._closing.question(self.session.document, running=self.runs.running)
        if question is not None:
            self.show_notice(question)
            event.ignore()
            return
        if self.session.document.model is not None:
            self._keep_layout()
        self.session.settings.update(geometry=_text(self.saveGeometry()))
        self.session.settings.save()
        self.hide()
        self.session.engine.stop()
        super().closeEvent(event)

    def _keep_layout(self) -> None:
        if self._main_view == COMPARE:  # which hides the right side, but not for good
            self.right.setVisible(self.actions_["right_dock"].isChecked())
        layout = _text(self.saveState(LAYOUT_VERSION))
        self.session.settings.update(layout=layout)


def _text(data: QByteArray) -> str:
    return bytes(data.toBase64().data()).decode("ascii")
