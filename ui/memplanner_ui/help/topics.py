"""Which page of the help is about what: a section of the plan, a view, a part of the window."""

from __future__ import annotations

from memplanner_ui.help.pages import HOME
from memplanner_ui.workspace import (
    COMPARE,
    DETAILS,
    HISTORY,
    ICICLE,
    LAYERS,
    LIVE,
    RANKS,
    SEARCH,
    SENSITIVITY,
    TIMELINE,
)

WINDOW = "window.md"
START, HEADER, PLAN, PALETTE = (
    f"{WINDOW}#{name}" for name in ("the-start-page", "the-header", "the-plan", "commands")
)
VIEWS = {
    LAYERS: f"{WINDOW}#layers",
    TIMELINE: f"{WINDOW}#timeline",
    ICICLE: f"{WINDOW}#icicle",
    LIVE: f"{WINDOW}#live",
    SEARCH: f"{WINDOW}#search",
    SENSITIVITY: f"{WINDOW}#sensitivity",
    COMPARE: f"{WINDOW}#compare",
    RANKS: f"{WINDOW}#sharding",
    HISTORY: f"{WINDOW}#history",
    DETAILS: f"{WINDOW}#layers",
}
_ELSEWHERE = {"sharding": "sharding.md"}
"""Sections of the plan that have a page of their own."""


def of_view(view: str) -> str:
    """The page about a view, with an anchor."""
    return VIEWS.get(view, HOME)


def of_section(section: str) -> str:
    """The page about a section of the plan (or ``precision``), with an anchor."""
    return _ELSEWHERE.get(section, f"techniques.md#{section}")
