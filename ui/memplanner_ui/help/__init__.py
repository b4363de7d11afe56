"""Help inside the program: the pages of ``docs/``, found by what has the focus, searched, read."""

from memplanner_ui.help.control import HelpControl
from memplanner_ui.help.tour import Tour

__all__ = ["HelpControl", "Tour"]
