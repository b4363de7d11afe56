"""What is asked before the window closes: in a notice, never in a dialog."""

from __future__ import annotations

from collections.abc import Callable

from memplanner_ui.document import Document
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.views.notice import Fix


class Closing:
    """Asks once; closing a second time is an answer, too."""

    def __init__(
        self, close: Callable[[], object], save_then: Callable[[Callable[[], object]], object]
    ) -> None:
        self._close = close
        self._save_then = save_then
        self._asked = False

    def question(self, document: Document, *, running: bool) -> Notice | None:
        """What to ask now; None when the window may close."""
        if self._asked:
            return None
        notice = self._about(document, running=running)
        self._asked = notice is not None
        return notice

    def forget(self) -> None:
        """The question was dismissed: ask again the next time."""
        self._asked = False

    def _about(self, document: Document, *, running: bool) -> Notice | None:
        if running:
            stop = Fix(
                translate("Window", "Stop the run and close"),
                "",
                translate("Window", "Stop and close"),
                self._close,
            )
            meaning = translate("Window", "Closing ends it.")
            if document.dirty:
                meaning = translate(
                    "Window", "Closing ends it, and the plan has edits that no file has."
                )
            return Notice("caution", translate("Window", "A plan is running."), meaning, (stop,))
        if document.model is None or not document.dirty:
            return None
        fixes = (
            Fix(
                translate("Window", "Save the plan and close"),
                "",
                translate("Window", "Save…"),
                lambda: self._save_then(self._close),
            ),
            Fix(
                translate("Window", "Close without saving"),
                "",
                translate("Window", "Close"),
                self._close,
            ),
        )
        return Notice(
            "caution", translate("Window", "The plan has edits that no file has."), "", fixes
        )
