"""The window: puts the parts together, fills its menus, and closes."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QEvent, QPoint, Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from memplanner_ui.actions import Actions
from memplanner_ui.closing import Closing
from memplanner_ui.commands import Commands
from memplanner_ui.compare_control import CompareControl
from memplanner_ui.connections import connect
from memplanner_ui.crash import CrashControl
from memplanner_ui.dropping import DropWindow
from memplanner_ui.engine_log import EngineLog
from memplanner_ui.environment.control import EngineControl
from memplanner_ui.explaining import ExplainControl
from memplanner_ui.header import Header
from memplanner_ui.help import HelpControl, Tour
from memplanner_ui.history_control import HistoryControl
from memplanner_ui.icicle_control import IcicleControl
from memplanner_ui.layer_choices import LayerChoices
from memplanner_ui.log_file import LogFile
from memplanner_ui.notices import Notice
from memplanner_ui.option_effects import OptionEffects
from memplanner_ui.palette import Palette
from memplanner_ui.panes import LeftDock, RightDock
from memplanner_ui.plan_changes import PlanChanges
from memplanner_ui.ranks_control import RanksControl
from memplanner_ui.recovery import Recovery
from memplanner_ui.report_file import ReportFile
from memplanner_ui.run_control import RunControl
from memplanner_ui.sample_control import SampleControl
from memplanner_ui.search_control import SearchControl
from memplanner_ui.search_pins import Pins
from memplanner_ui.search_smallest import SmallestControl
from memplanner_ui.sensitivity_control import SensitivityControl
from memplanner_ui.session import Session
from memplanner_ui.shortcuts import Shortcuts
from memplanner_ui.snapshot_control import SnapshotControl
from memplanner_ui.start_page import StartPage
from memplanner_ui.status_bar import StatusBar
from memplanner_ui.tool_bar import ToolBar
from memplanner_ui.window_display import WindowDisplay
from memplanner_ui.workspace import COMPARE, Workspace

LAYOUT_VERSION = 1


class MainWindow(DropWindow):
    """Assembly only: what things do is in ``Session``, ``RunControl`` and ``Commands``.

    What is shown when is in ``WindowDisplay``, which signal leads where in ``connections``.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.runs = RunControl(session, self)
        self.setMinimumSize(760, 480)
        self.resize(1440, 900)
        self.workspace = Workspace()
        self.left = LeftDock(self)
        self.right = RightDock(self)
        self.changes = PlanChanges(session.document.history, self)
        self.log = EngineLog(self)
        self.header = Header(self)
        self.status = StatusBar()
        self.palette_ = Palette(self)
        self.commands = Commands(self)
        self.actions_ = Actions(self.commands.handlers(), self)
        self.shortcuts = Shortcuts(self.actions_, session.settings, self)
        self.menus = self.actions_.fill(self.menuBar())
        self.tools = ToolBar(session, self.actions_, self)
        self.start = StartPage(session, self.actions_)
        self.pages = QStackedWidget()
        self.display = WindowDisplay(self)
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
        self.engine = EngineControl(self)
        self.pins = Pins(self)
        self.search = SearchControl(
            session, self.pins, self.workspace.search, self.left.search, self.right.found, self
        )
        self.smallest = SmallestControl(session, self.pins, self.workspace.layers.smallest, self)
        self.samples = SampleControl(session, self.start, self)
        self.help = HelpControl(self)
        self.tour = Tour(self)
        self.explain = ExplainControl(self)
        self.explain.more_wanted.connect(self.help.show_page)
        self.recovery = Recovery(self)
        self.log_file = LogFile(session.settings.path.parent / "log", self)
        self.crashes = CrashControl(self)
        self.closing = Closing(self.close, self.commands.save_then)
        self._assemble()
        connect(self)
        self._restore()
        self.display.show_model()
        self.setFocus()  # else Qt would put it on the first button, with a ring

    def _assemble(self) -> None:
        self.addToolBar(self.tools)
        self.addToolBarBreak()
        self.addToolBar(self.header)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.left)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.right)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.changes)
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.log)
        corners = (
            (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
            (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
        )
        for corner, area in corners:
            self.setCorner(corner, area)
        widths = [self.left.width_at_first, self.right.width_at_first]
        self.resizeDocks([self.left, self.right], widths, Qt.Orientation.Horizontal)
        self.pages.addWidget(self.start)
        self.pages.addWidget(self.workspace)
        self.setCentralWidget(self.pages)
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
            self.actions_["plan_changes"].setChecked(not self.changes.isHidden())

    def show_docks(self) -> None:
        """Shows the docks that are wanted and have room."""
        self.display.show_docks()

    def show_notice(self, notice: Notice) -> None:
        """Shows a notice at the top of what is shown."""
        self.display.show_notice(notice)

    def stop_work(self) -> None:
        """Ends what goes on; the engine goes on where a snapshot is read, which is done apart."""
        if not self.snapshots.stop():
            self.session.cancel()

    def panes(self) -> list[QWidget]:
        """The parts that F6 goes through, in order."""
        if self.session.document.model is None:
            return [self.tools, self.start.samples, self.start.presets, self.start.side]
        panes = [self.tools, self.left, self.workspace.tabs, self.workspace.views, self.right]
        return [self.tour.note, *panes]

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
            self.display.clear_notices()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.session.refresh_devices()  # other programs may hold more or less by now
            self.session.look_at_plan_file()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.show_docks()

    def closeEvent(self, event: QCloseEvent) -> None:
        question = self.closing.question(self.session.document, running=self.runs.running)
        if question is not None:
            self.show_notice(question)
            event.ignore()
            return
        if self.session.document.model is not None:
            self.keep_layout()
        self.recovery.end()
        self.session.settings.update(geometry=_text(self.saveGeometry()))
        self.session.settings.save()
        self.hide()
        self.session.engine.stop()
        self.log_file.write()
        super().closeEvent(event)

    def keep_layout(self) -> None:
        """Remembers which docks are shown and how wide."""
        if self.display.main_view == COMPARE:  # which hides the right side, but not for good
            self.right.setVisible(self.actions_["right_dock"].isChecked())
        layout = _text(self.saveState(LAYOUT_VERSION))
        self.session.settings.update(layout=layout)


def _text(data: QByteArray) -> str:
    return bytes(data.toBase64().data()).decode("ascii")
