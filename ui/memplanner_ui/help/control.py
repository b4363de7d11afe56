"""F1: the page about what has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QWidget

from memplanner_ui.help import topics
from memplanner_ui.help.pages import HOME
from memplanner_ui.help.window import HelpWindow

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow


class HelpControl(QObject):
    """Makes the help’s window when it is first wanted, and knows what each part is about."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._help: HelpWindow | None = None

    @property
    def help(self) -> HelpWindow:
        """The help’s window."""
        if self._help is None:
            self._help = HelpWindow(self._window)
        return self._help

    def show_page(self, place: str) -> None:
        """Shows a page, ``name#anchor``."""
        self.help.open_at(place)

    def show_contents(self) -> None:
        """Shows the page that lists the others."""
        self.help.open_at(HOME)

    def show_here(self) -> None:
        """Shows the page about what has the focus."""
        self.help.open_at(self.topic(QApplication.focusWidget()))

    def topic(self, widget: QWidget | None) -> str:
        """The page about a widget, with an anchor; of none, about the view that is shown."""
        window = self._window
        if window.session.document.model is None:
            return topics.START

        def inside(pane: QWidget) -> bool:
            return widget is not None and (pane is widget or pane.isAncestorOf(widget))

        for name, section in window.left.plan.sections().items():
            if inside(section):
                return topics.of_section(name)
        if inside(window.left.plan):
            return topics.PLAN
        if inside(window.header):
            return topics.HEADER
        return topics.of_view(window.display.main_view)
