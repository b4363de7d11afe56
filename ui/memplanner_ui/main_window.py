"""The window: on the screen at once, its parts put together then; its menus, and how it closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from memplanner_ui.dropping import DropWindow
from memplanner_ui.language import translate

if TYPE_CHECKING:  # what the parts import takes longer than the first picture of the window
    from memplanner_ui.actions import Actions
    from memplanner_ui.closing import Closing
    from memplanner_ui.commands import Commands
    from memplanner_ui.compare_control import CompareControl
    from memplanner_ui.crash import CrashControl
    from memplanner_ui.engine_log import EngineLog
    from memplanner_ui.environment.control import EngineControl
    from memplanner_ui.explaining import ExplainControl
    from memplanner_ui.freed_memory import FreedMemory
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
    from memplanner_ui.workspace import Workspace


class MainWindow(DropWindow):
    """Its parts are made in ``assembly``; what they do is in ``Session`` and ``Commands``.

    What is shown when is in ``WindowDisplay``, which signal leads where in ``connections``.
    """

    painted_first = Signal()
    """It is on the screen, with nothing in it."""

    session: Session
    runs: RunControl
    workspace: Workspace
    left: LeftDock
    right: RightDock
    changes: PlanChanges
    log: EngineLog
    header: Header
    status: StatusBar
    palette_: Palette
    commands: Commands
    actions_: Actions
    shortcuts: Shortcuts
    menus: dict[str, QMenu]
    tools: ToolBar
    start: StartPage
    pages: QStackedWidget
    display: WindowDisplay
    effects: OptionEffects
    layer_choices: LayerChoices
    sensitivity: SensitivityControl
    ranks: RanksControl
    icicle: IcicleControl
    compare: CompareControl
    report: ReportFile
    snapshots: SnapshotControl
    history: HistoryControl
    engine: EngineControl
    pins: Pins
    search: SearchControl
    smallest: SmallestControl
    samples: SampleControl
    help: HelpControl
    tour: Tour
    explain: ExplainControl
    recovery: Recovery
    freed_memory: FreedMemory
    log_file: LogFile
    crashes: CrashControl
    closing: Closing
    recent_menu: QMenu

    def __init__(self, session: Session | None = None) -> None:
        """Without a session there is nothing in it before ``assemble``."""
        super().__init__()
        self.assembled = False
        """Its parts are there."""
        self._painted = False
        self.setWindowTitle("memplanner")
        self.setMinimumSize(760, 480)
        self.resize(1440, 900)
        if session is not None:
            self.assemble(session)

    def assemble(self, session: Session) -> None:
        """Fills it with what it consists of."""
        from memplanner_ui.assembly import assemble  # all that it is made of

        self.session = session
        self.setUpdatesEnabled(False)  # it is painted once more, whole
        assemble(self)
        self.assembled = True
        self.setUpdatesEnabled(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.assembled:
            return
        painter = QPainter(self)
        painter.setPen(self.palette().placeholderText().color())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "memplanner")
        painter.end()
        if not self._painted:
            self._painted = True
            self.painted_first.emit()

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

    def fill_recent(self) -> None:
        """Lists what was opened lately."""
        self.recent_menu.clear()
        for recent in self.session.settings.values.recent:
            action = self.recent_menu.addAction(f"{recent.title}\t{recent.detail}")
            action.setToolTip(recent.source)
            action.triggered.connect(
                lambda _=False, one=recent: self.session.open(one.source, inputs=one.inputs)
            )
        if self.recent_menu.isEmpty():
            self.recent_menu.addAction(translate("Window", "Nothing opened yet")).setEnabled(False)

    def open_plan_menu(self) -> None:
        """Opens what can be done with the plan, below its button."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.commands.fill_plan_menu(menu)
        button = self.left.menu_button
        menu.popup(button.mapToGlobal(QPoint(0, button.height())))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.assembled:
            self.display.clear_notices()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        active = event.type() == QEvent.Type.ActivationChange and self.isActiveWindow()
        if active and self.assembled:
            self.session.refresh_devices()  # other programs may hold more or less by now
            self.session.look_at_plan_file()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.assembled:
            self.show_docks()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.assembled:
            super().closeEvent(event)
            return
        question = self.closing.question(self.session.document, running=self.runs.running)
        if question is not None:
            self.show_notice(question)
            event.ignore()
            return
        if self.session.document.model is not None:
            self.keep_layout()
        self.recovery.end()
        self.crashes.end()
        self.session.settings.update(geometry=_text(self.saveGeometry()))
        self.session.settings.save()
        self.hide()
        self.session.engine.stop()
        self.log_file.write()
        super().closeEvent(event)

    def keep_layout(self) -> None:
        """Remembers which docks are shown and how wide."""
        from memplanner_ui.assembly import LAYOUT_VERSION  # they are there by now
        from memplanner_ui.workspace import COMPARE

        if self.display.main_view == COMPARE:  # which hides the right side, but not for good
            self.right.setVisible(self.actions_["right_dock"].isChecked())
        layout = _text(self.saveState(LAYOUT_VERSION))
        self.session.settings.update(layout=layout)


def _text(data: QByteArray) -> str:
    return bytes(data.toBase64().data()).decode("ascii")
