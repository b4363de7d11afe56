"""What the window shows while nothing is open."""

from memplanner_ui.start_page.page import StartPage

__all__ = ["StartPage"]
