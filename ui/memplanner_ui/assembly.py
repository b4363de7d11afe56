"""Puts the parts of the window together: it may be on the screen by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtWidgets import QMenu, QStackedWidget

from memplanner_ui.actions import Actions
from memplanner_ui.closing import Closing
from memplanner_ui.commands import Commands
from memplanner_ui.compare_control import CompareControl
from memplanner_ui.connections import connect
from memplanner_ui.crash import CrashControl
from memplanner_ui.engine_log import EngineLog
from memplanner_ui.environment.control import EngineControl
from memplanner_ui.explaining import ExplainControl
from memplanner_ui.freed_memory import FreedMemory
from memplanner_ui.header import Header
from memplanner_ui.help import HelpControl, Tour
from memplanner_ui.history_control import HistoryControl
from memplanner_ui.icicle_control import IcicleControl
from memplanner_ui.language import translate
from memplanner_ui.layer_choices import LayerChoices
from memplanner_ui.log_file import LogFile
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
from memplanner_ui.shortcuts import Shortcuts
from memplanner_ui.snapshot_control import SnapshotControl
from memplanner_ui.start_page import StartPage
from memplanner_ui.status_bar import StatusBar
from memplanner_ui.tool_bar import ToolBar
from memplanner_ui.window_display import WindowDisplay
from memplanner_ui.workspace import Workspace

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

LAYOUT_VERSION = 1


def assemble(window: MainWindow) -> None:
    """Makes the parts of a window that has its session, and shows what is open: nothing yet."""
    session = window.session
    window.runs = RunControl(session, window)
    window.workspace = Workspace()
    window.left = LeftDock(window)
    window.right = RightDock(window)
    window.changes = PlanChanges(session.document.history, window)
    window.log = EngineLog(window)
    window.header = Header(window)
    window.status = StatusBar()
    window.palette_ = Palette(window)
    window.commands = Commands(window)
    window.actions_ = Actions(window.commands.handlers(), window)
    window.shortcuts = Shortcuts(window.actions_, session.settings, window)
    window.menus = window.actions_.fill(window.menuBar())
    window.tools = ToolBar(session, window.actions_, window)
    window.start = StartPage(session, window.actions_)
    window.pages = QStackedWidget()
    window.display = WindowDisplay(window)
    window.effects = OptionEffects(session, window.left.plan, window)
    window.layer_choices = LayerChoices(
        session, window.workspace.layers, window.right.module, window
    )
    window.sensitivity = SensitivityControl(
        session, window.runs, window.layer_choices, window.workspace.sensitivity, window
    )
    window.ranks = RanksControl(session, window.workspace.ranks, window.right.rank, window)
    window.icicle = IcicleControl(session, window.workspace.icicle, window)
    window.compare = CompareControl(session, window.workspace.compare, window.left.plans, window)
    window.report = ReportFile(session, window.compare, window.runs, window)
    window.snapshots = SnapshotControl(session, window.workspace, window)
    window.history = HistoryControl(window)
    window.engine = EngineControl(window)
    window.pins = Pins(window)
    window.search = SearchControl(
        session,
        window.pins,
        window.workspace.search,
        window.left.search,
        window.right.found,
        window,
    )
    window.smallest = SmallestControl(
        session, window.pins, window.workspace.layers.smallest, window
    )
    window.samples = SampleControl(session, window.start, window)
    window.help = HelpControl(window)
    window.tour = Tour(window)
    window.explain = ExplainControl(window)
    window.explain.more_wanted.connect(window.help.show_page)
    window.recovery = Recovery(window)
    window.freed_memory = FreedMemory(window.runs, window)
    window.log_file = LogFile(session.settings.path.parent / "log", window)
    window.crashes = CrashControl(window)
    window.closing = Closing(window.close, window.commands.save_then)
    _put_in_place(window)
    connect(window)
    _restore(window)
    window.display.show_model()
    window.setFocus()  # else Qt would put it on the first button, with a ring


def _put_in_place(window: MainWindow) -> None:
    window.addToolBar(window.tools)
    window.addToolBarBreak()
    window.addToolBar(window.header)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, window.left)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, window.right)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, window.changes)
    window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, window.log)
    corners = (
        (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
        (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
    )
    for corner, area in corners:
        window.setCorner(corner, area)
    widths = [window.left.width_at_first, window.right.width_at_first]
    window.resizeDocks([window.left, window.right], widths, Qt.Orientation.Horizontal)
    window.pages.addWidget(window.start)
    window.pages.addWidget(window.workspace)
    window.setCentralWidget(window.pages)
    window.setStatusBar(window.status)
    window.recent_menu = QMenu(translate("Window", "Open recent"), window)
    window.recent_menu.aboutToShow.connect(window.fill_recent)
    window.menus["File"].insertMenu(window.actions_["save_plan"], window.recent_menu)
    for dock, name in ((window.left, "left_dock"), (window.right, "right_dock")):
        window.actions_[name].setChecked(True)
        dock.setProperty("action", name)
    window.left.filter_button.clicked.connect(window.actions_["filter_options"].trigger)
    window.left.menu_button.clicked.connect(lambda: window.open_plan_menu())


def _restore(window: MainWindow) -> None:
    values = window.session.settings.values
    window.left.plan.set_folded(values.folded)
    window.workspace.live.form.steps.setValue(values.steps)
    window.actions_[f"scheme_{values.scheme}"].setChecked(True)
    window.actions_[f"language_{values.language}"].setChecked(True)
    if values.geometry and not window.isVisible():  # else it has its place
        window.restoreGeometry(QByteArray.fromBase64(values.geometry.encode()))
    if values.layout:
        window.restoreState(QByteArray.fromBase64(values.layout.encode()), LAYOUT_VERSION)
        window.actions_["left_dock"].setChecked(not window.left.isHidden())
        window.actions_["right_dock"].setChecked(not window.right.isHidden())
        window.actions_["plan_changes"].setChecked(not window.changes.isHidden())
