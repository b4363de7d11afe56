"""The middle of the window with a model open: tabs, the notice, and one view a tab."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.progress_line import ProgressLine
from memplanner_ui.run_form import RunForm
from memplanner_ui.tab_bar import ViewTabs
from memplanner_ui.views.compare import CompareView
from memplanner_ui.views.history import HistoryView
from memplanner_ui.views.icicle import IcicleView
from memplanner_ui.views.layers import LayersView
from memplanner_ui.views.live import LiveView
from memplanner_ui.views.notice import NoticeBar
from memplanner_ui.views.ranks import RanksView
from memplanner_ui.views.search import SearchView
from memplanner_ui.views.sensitivity import SensitivityView
from memplanner_ui.views.snapshot import SnapshotView
from memplanner_ui.views.timeline import TimelineView
from memplanner_ui.views.timeline_pages import TimelinePages

LAYERS, TIMELINE, LIVE, DETAILS = "layers", "timeline", "live", "details"
ICICLE = "icicle"
SENSITIVITY = "sensitivity"
RANKS = "ranks"
COMPARE = "compare"
SEARCH = "search"
HISTORY = "history"


class LivePage(QWidget):
    """The Live view, with what a run needs above it while none is under way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.form = RunForm()
        self.view = LiveView()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.form)
        column.addWidget(self.view, 1)


class _Views(QStackedWidget):
    """As low as the view that is shown allows, and asks for no more: a notice above has room."""

    def hasHeightForWidth(self) -> bool:
        return False  # Qt would ask for the highest of all views

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:
        least, shown = super().minimumSizeHint(), self.currentWidget()
        if shown is None:
            return QSize(least.width(), 0)
        height, layout = shown.minimumSizeHint().height(), shown.layout()
        if layout is not None and layout.hasHeightForWidth():  # its words have this width
            height = min(height, layout.minimumHeightForWidth(self.width()))
        return QSize(least.width(), height)


class Workspace(QWidget):
    """Views by name. A new view is one call of ``add_view``."""

    view_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.tabs = ViewTabs()
        self.tabs.setAccessibleName(translate("Window", "Views"))
        self.progress = ProgressLine()
        self.notice = NoticeBar()
        self.views = _Views()
        self.layers = LayersView()
        self.timeline = TimelineView()
        self.timeline_pages = TimelinePages(self.timeline, SnapshotView())
        self.icicle = IcicleView()
        self.live = LivePage()
        self.sensitivity = SensitivityView()
        self.ranks = RanksView()
        self.compare = CompareView()
        self.search = SearchView()
        self.history = HistoryView()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.tabs, self.progress, self.notice):
            column.addWidget(widget)
        column.addWidget(self.views, 1)
        self.tabs.currentChanged.connect(self._on_tab)
        self.add_view(LAYERS, translate("Window", "Layers"), self.layers)
        self.add_view(TIMELINE, translate("Window", "Timeline"), self.timeline_pages)
        self.add_view(ICICLE, translate("Window", "Icicle"), self.icicle)
        self.add_view(LIVE, translate("Window", "Live"), self.live)
        self.add_view(SEARCH, translate("Window", "Search"), self.search)
        self.add_view(SENSITIVITY, translate("Window", "Sensitivity"), self.sensitivity)
        self.add_view(COMPARE, translate("Window", "Compare"), self.compare)
        self.add_view(RANKS, translate("Window", "Sharding"), self.ranks)
        self.add_view(HISTORY, translate("Window", "History"), self.history)

    def add_view(self, name: str, title: str, view: QWidget) -> None:
        """Adds a view and its tab at the end."""
        self.views.addWidget(view)
        view.setObjectName(f"view_{name}")
        index = self.tabs.addTab(title)
        self.tabs.setTabData(index, name)

    def remove_view(self, name: str) -> QWidget | None:
        """Takes a view out and gives it back, hidden and without a parent."""
        index = self.tabs.index_of(name)
        view = self.view(name)
        if index is None or view is None:
            return None
        if self.current == name:
            self.show_view(LAYERS)
        self.tabs.removeTab(index)
        self.views.removeWidget(view)
        view.setParent(None)
        return view

    def view(self, name: str) -> QWidget | None:
        """The view called ``name``."""
        for index in range(self.views.count()):
            widget = self.views.widget(index)
            if widget is not None and widget.objectName() == f"view_{name}":
                return widget
        return None

    @property
    def current(self) -> str:
        """The name of the view that is shown."""
        return str(self.tabs.tabData(self.tabs.currentIndex()) or "")

    def show_view(self, name: str) -> None:
        """Shows a view."""
        index = self.tabs.index_of(name)
        if index is not None:
            self.tabs.setCurrentIndex(index)

    def show_notice(self, notice: Notice) -> None:
        """Shows a notice above the view."""
        self.notice.show_notice(notice.kind, notice.what, notice.meaning, notice.fixes)

    def _on_tab(self, index: int) -> None:
        view = self.view(str(self.tabs.tabData(index)))
        if view is not None:
            self.views.setCurrentWidget(view)
            self.views.updateGeometry()
            self.view_changed.emit(self.current)
