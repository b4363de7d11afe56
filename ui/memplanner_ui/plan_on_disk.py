"""The open plan's file as others may change it: another window, an editor, a checkout."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.views.notice import Fix

_LARGEST_BYTES = 2**22
"""Of a plan; the rest of a larger file is not looked at."""


class PlanFile:
    """What a plan's file said when this window read or wrote it last."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._known = self._told = ""

    def take(self, path: Path | None) -> None:
        """What the file says now is what the window knows of it. Call it before it is read."""
        self._path = path
        self._known = self._told = _fingerprint(path)

    @property
    def changed(self) -> bool:
        """Whether it says something else by now. One that is gone is no change."""
        return _fingerprint(self._path) not in ("", self._known)

    def change_to_tell(self) -> bool:
        """Whether it was changed since that was told last."""
        now = _fingerprint(self._path)
        news = now not in ("", self._known, self._told)
        self._told = now
        return news


def changed_elsewhere(
    path: Path, *, dirty: bool, save: Callable[[], object], read: Callable[[], object]
) -> Notice:
    """The notice of a plan's file that another program has changed."""
    meaning = translate("Window", "This window has the plan of before.")
    if dirty:
        meaning = translate("Window", "Saving would replace what it says now.")
    return Notice(
        "caution",
        translate(
            "Window", "{name} was changed by another program since this window read it."
        ).format(name=path.name),
        meaning,
        (
            Fix(
                translate("Window", "Show the plan that it has now; undo brings this one back"),
                "",
                translate("Window", "Read it"),
                read,
            ),
            Fix(
                translate("Window", "Write this window’s plan over it"),
                "",
                translate("Window", "Replace it"),
                save,
            ),
        ),
    )


def _fingerprint(path: Path | None) -> str:
    """A hash of what the file says; empty where nothing can be read."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(_LARGEST_BYTES)).hexdigest()
    except OSError:
        return ""
