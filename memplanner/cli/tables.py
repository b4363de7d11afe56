"""Where the terminal's words and tables are printed, and what they look like."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PLAIN_WIDTH = 160
"""Columns where nothing says how wide the output is, as in a pipe."""
_WORDS = frozenset({"Type", "Model", "Publisher", "Architecture"})


def console_of(stream: TextIO | None = None) -> Console:
    """Prints what it is given: a name with brackets or colons means nothing here."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(
        file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True, width=width
    )


def bold(text: str) -> Text:
    """``text`` as a heading."""
    return Text(text, style="bold")


def table_of(*columns: str) -> Table:
    """A table without lines; the first column and words stand left, numbers right.

    Where there is too little room the first column takes more lines: no number is ever cut.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        left = place == 0 or column in _WORDS
        table.add_column(column, justify="left" if left else "right", no_wrap=place > 0)
    return table
