"""The docks: at the left what you decide, at the right what explains the selected thing."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.notices import Notice
from memplanner_ui.pane_header import PaneHeader
from memplanner_ui.plan_panel import PlanPanel
from memplanner_ui.views.compare_panel import ComparePanel
from memplanner_ui.views.history_panel import PastRunPanel
from memplanner_ui.views.module_panel import ModulePanel
from memplanner_ui.views.notice import NoticeBar
from memplanner_ui.views.ranks_panel import RankPanel
from memplanner_ui.views.run_panel import RunPanel
from memplanner_ui.views.run_progress import ProgressPanel
from memplanner_ui.views.search_form import SearchForm
from memplanner_ui.views.search_panel import FoundPanel
from memplanner_ui.workspace import DETAILS, Workspace

LEFT_WIDTH = 304
LEFT_LEAST = 284
"""A number of the plan with what its next value would change."""
RIGHT_WIDTH = 296
RIGHT_LEAST = 264
LOCKED = Notice(
    "info",
    translatable("Window", "The plan is locked while it runs."),
    translatable("Window", "Edits you make now go to a copy."),
)


class _Dock(QDockWidget):
    """A dock that knows whether the user wants it, apart from whether it is shown now."""

    def __init__(self, title: str, name: str, width: int, least: int, parent: QMainWindow) -> None:
        super().__init__(title, parent)
        self.setObjectName(name)
        self.setAllowedAreas(
            Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea
        )
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetClosable
            | QDockWidget.DockWidgetFeature.DockWidgetMovable
        )
        self.header = PaneHeader(title)
        self.setTitleBarWidget(self.header)
        self.setMinimumWidth(fonts.scaled(least))
        self.width_at_first = fonts.scaled(width)


class LeftDock(_Dock):
    """The plan; on the Live view, while it is applied, the run; on Search, what is wanted."""

    def __init__(self, parent: QMainWindow) -> None:
        super().__init__(translate("Window", "Plan"), "left_dock", LEFT_WIDTH, LEFT_LEAST, parent)
        self.plan = PlanPanel()
        self.run = RunPanel()
        self._locked = NoticeBar()
        if (margins := self._locked.layout()) is not None:
            margins.setContentsMargins(10, 10, 10, 2)
        plan_page = QWidget()
        plan_page.setProperty("surface", "panel")
        plan_page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(plan_page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._locked)
        column.addWidget(self.plan, 1)
        self._pages = QStackedWidget()
        self._pages.addWidget(plan_page)
        self._pages.addWidget(self.run)
        self.search = SearchForm()
        self._pages.addWidget(self.search)
        self.plans = ComparePanel()
        self._pages.addWidget(self.plans)
        self.plans.counted.connect(self._count_plans)
        self._plans_word = ""
        self.setWidget(self._pages)
        self.filter_button = self.header.add_button("search", translate("Window", "Filter options"))
        self.menu_button = self.header.add_button("more", translate("Window", "Plan menu"))
        self._plan_word = ""

    def show_plan_name(self, name: str, dirty: bool) -> None:
        """Shows the plan's name beside the title; a star when no file has its edits."""
        self._plan_word = name + ("*" if dirty else "")
        self._show_title()

    def set_running(self, running: bool) -> None:
        """Says that the plan is locked while it runs."""
        if running:
            self._locked.show_notice(
                LOCKED.kind, translate("Window", LOCKED.what), translate("Window", LOCKED.meaning)
            )
        else:
            self._locked.clear()

    def show_run(self, shown: bool) -> None:
        """Shows the run instead of the plan."""
        if shown != bool(self._pages.currentIndex()) and self._has_focus():
            self.window().setFocus()  # else Qt would put it on the next thing there is
        self._pages.setCurrentIndex(1 if shown else 0)
        self.filter_button.setVisible(not shown)
        self.menu_button.setVisible(not shown)
        self._show_title()

    def show_search(self) -> None:
        """Shows what is searched for instead of the plan."""
        self._pages.setCurrentWidget(self.search)
        self.filter_button.hide()
        self.menu_button.hide()
        self._show_title()

    def _count_plans(self, words: str) -> None:
        self._plans_word = words
        self._show_title()

    def show_plans(self) -> None:
        """Shows the plans that can be compared instead of the plan."""
        self._pages.setCurrentWidget(self.plans)
        self.filter_button.hide()
        self.menu_button.hide()
        self._show_title()

    def _has_focus(self) -> bool:
        focused = self.window().focusWidget()
        return focused is not None and self.isAncestorOf(focused)

    def _show_title(self) -> None:
        if self._pages.currentIndex() == 1:
            self.header.set_title(translate("Window", "Run"))
        elif self._pages.currentWidget() is self.search:
            self.header.set_title(translate("Window", "Search"))
        elif self._pages.currentWidget() is self.plans:
            self.header.set_title(translate("Window", "Plans"), self._plans_word)
        else:
            self.header.set_title(translate("Window", "Plan"), self._plan_word)


class RightDock(_Dock):
    """The selected module; on other views the run, the rank or the plan that is selected."""

    def __init__(self, parent: QMainWindow) -> None:
        super().__init__(
            translate("Window", "Module"), "right_dock", RIGHT_WIDTH, RIGHT_LEAST, parent
        )
        self.module = ModulePanel()
        self.progress = ProgressPanel()
        self.content = QStackedWidget()
        self.content.addWidget(self.module)
        self.content.addWidget(self.progress)
        self.rank = RankPanel()
        self.content.addWidget(self.rank)
        self.found = FoundPanel()
        self.content.addWidget(self.found)
        self.past_run = PastRunPanel()
        self.content.addWidget(self.past_run)
        self.setWidget(self.content)

    def fold_into(self, workspace: Workspace, folded: bool) -> None:
        """Makes the content a tab of the workspace, or takes it back."""
        if folded == (workspace.view(DETAILS) is not None):
            return
        if folded:
            self.setWidget(None)  # type: ignore[arg-type]  # Qt allows a null pointer
            workspace.add_view(DETAILS, translate("Window", "Details"), self.content)
        else:
            workspace.remove_view(DETAILS)
            self.setWidget(self.content)
            self.content.show()

    def show_progress(self, shown: bool, word: str = "", kind: str = "accent") -> None:
        """Shows the run's progress instead of the module."""
        self.content.setCurrentIndex(1 if shown else 0)
        if shown:
            self.header.set_title(translate("Window", "Progress"), word, kind)
        else:
            self.header.set_title(translate("Window", "Module"))

    def show_rank(self) -> None:
        """Shows the rank instead of the module."""
        self.content.setCurrentWidget(self.rank)
        self.header.set_title(translate("Window", "Rank"))

    def show_found(self) -> None:
        """Shows the plan that is selected in a search instead of the module."""
        self.content.setCurrentWidget(self.found)
        self.header.set_title(translate("Window", "Selected plan"))

    def show_past_run(self) -> None:
        """Shows the past run that is selected instead of the module."""
        self.content.setCurrentWidget(self.past_run)
        self.header.set_title(translate("Window", "Past run"))


def focus_next_pane(panes: list[QWidget], focused: QWidget | None, *, back: bool = False) -> None:
    """Gives the focus to the first thing in the pane after the one that has it."""
    shown = [pane for pane in panes if pane.isVisible()]
    if not shown:
        return
    now = next(
        (
            place
            for place, pane in enumerate(shown)
            if focused is not None and (pane is focused or pane.isAncestorOf(focused))
        ),
        None,
    )
    if now is None:
        now = 0 if back else -1
    step = -1 if back else 1
    for distance in range(1, len(shown) + 1):
        target = first_focusable(shown[(now + step * distance) % len(shown)])
        if target is not None:
            target.setFocus(Qt.FocusReason.OtherFocusReason)
            return


def first_focusable(pane: QWidget) -> QWidget | None:
    """The first widget in ``pane``, itself included, that takes the focus by Tab."""
    widget: QWidget | None = pane
    while widget is not None:  # a ring over the whole window
        inside = widget is pane or pane.isAncestorOf(widget)
        takes = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        if inside and takes and widget.isVisible() and widget.isEnabled():
            return widget
        widget = widget.nextInFocusChain()
        if widget is pane:
            break
    return None
