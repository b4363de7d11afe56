"""A table as text to be pasted: tabs, Markdown, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]
"""Titles first."""


def tabs(rows: Rows) -> str:
    """Cells with tabs between them, as spreadsheets take them."""
    return "\n".join("\t".join(row) for row in rows)


def markdown(rows: Rows) -> str:
    """A Markdown table; all columns but the first stand right."""
    titles, *others = ([_in_markdown(cell) for cell in row] for row in rows)
    line = ["---", *["---:"] * (len(titles) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, line, *others))


def _in_markdown(cell: str) -> str:
    """What stands for itself in a cell."""
    for character in ("\\", "|", "*", "_", "`", "<", "[", "]"):
        cell = cell.replace(character, f"\\{character}")
    return " ".join(cell.split())


def comma_separated(rows: Rows) -> str:
    """CSV (RFC 4180) of the cells' own words; a formula of a spreadsheet is text in it."""
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def harmless(text: str) -> str:
    """``text`` with a quote before what a spreadsheet would take for a formula.

    A signed size such as ``+1.2 GiB`` is none.
    """
    is_size = text[:1] == "+" and text[1:2].isdigit()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_size else text
