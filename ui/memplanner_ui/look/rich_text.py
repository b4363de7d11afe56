"""The style of rich text, from the theme's tokens: pages of the help, and explanations."""

from __future__ import annotations

from string import Template

from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts

_SHEET = """
body, p, li, td, th { color: $text; }
a { color: $accent; }
h1, h2, h3, h4 { color: $text; font-weight: 600; }
h1 { font-size: ${h1}px; margin-top: 4px; margin-bottom: 8px; }
h2 { font-size: ${h2}px; margin-top: 18px; margin-bottom: 6px; }
h3 { font-size: ${h3}px; margin-top: 14px; margin-bottom: 4px; }
p { margin-top: 0px; margin-bottom: 8px; }
.second { color: $text2; }
.faint { color: $text3; }
code, pre { color: $text; background-color: $hover; font-family: '$mono'; font-size: ${code}px; }
"""


def sheet() -> str:
    """The default style sheet of a ``QTextDocument`` in the theme's colours and sizes."""
    colors = theme.current()
    names = ("text", "text2", "text3", "accent", "hover")
    return Template(_SHEET).substitute(
        {name: colors.color(name).name() for name in names},
        h1=fonts.scaled(19),
        h2=fonts.scaled(15),
        h3=fonts.scaled(13),
        code=fonts.scaled(11.5),
        mono=fonts.font("mono").family(),
    )
