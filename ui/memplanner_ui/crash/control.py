"""Takes what nobody foresaw, in the window and in the engine, and offers a report of it."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from memplanner.masking import mask
from memplanner.messages import protocol
from memplanner.writing import why
from memplanner_ui.crash.dialog import ReportDialog
from memplanner_ui.crash.native import NativeTrace
from memplanner_ui.crash.report import Reports, report_text
from memplanner_ui.language import translatable, translate
from memplanner_ui.notices import Notice
from memplanner_ui.views.notice import Fix

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

_MEANING = translatable(
    "Crash report", "This is a defect of memplanner. A report of it lies on this machine alone."
)
_ENDED = translatable("Crash report", "The last window was ended by a fault.")
_LONGEST = 200


class CrashControl(QObject):
    """Writes reports beside the settings; each is told in a notice that leads to it."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        folder = window.session.settings.path.parent / "reports"
        self.reports, self._native = Reports(folder), NativeTrace(folder)
        self.way_to_last: Fix | None = None
        """Leads to the report of how the last window ended, where that was not in order."""
        self._at_work = False
        window.session.engine.defect.connect(self.take_defect)

    def watch(self) -> None:
        """From here on what is raised in this process, and caught by nobody, is taken."""
        sys.excepthook = self.take
        try:
            self._native.begin()
        except OSError as error:
            self._not_written(error)

    def end(self) -> None:
        """The window closes in order."""
        self._native.end()

    def take_last(self) -> None:
        """Makes a report of the trace that a window left which a signal ended."""
        trace = self._native.left_behind()
        if trace:
            kept = self._keep(translate("Crash report", _ENDED), trace, now=False)
            self.way_to_last = kept and self._way_to(*kept)

    def offer(self) -> None:
        """Says how the last window ended, where that was not in order."""
        if self.way_to_last is not None:
            self._tell(translate("Crash report", _ENDED), self.way_to_last)

    def take(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Reports an exception that nobody caught; it is printed as well."""
        sys.__excepthook__(kind, error, trace)
        if issubclass(kind, KeyboardInterrupt) or self._at_work:
            return  # an error of the report itself would be reported for ever
        said = str(error).strip().partition("\n")[0][:_LONGEST]
        what = translate("Crash report", "The window failed unexpectedly ({error}).").format(
            error=f"{kind.__name__}: {said}" if said else kind.__name__
        )
        what = mask(what)
        self._report(what, "".join(traceback.format_exception(kind, error, trace)))
        self._window.recovery.keep_soon()  # who knows how long the window lasts

    def take_defect(self, failure: protocol.Failure) -> None:
        """Reports a defect that the engine told of; its trace is in what the engine wrote."""
        self._report(mask(failure.sentence), self._window.session.engine.log)

    def _report(self, what: str, trace: str) -> None:
        kept = self._keep(what, trace)
        if kept is not None:
            fix = self._way_to(*kept)
            # after the notice of whoever had asked, which says less
            QTimer.singleShot(0, self, lambda: self._tell(what, fix))

    def _keep(self, what: str, trace: str, *, now: bool = True) -> tuple[Path, str] | None:
        """Writes a report, of this window or of one before it; None where that fails."""
        engine = self._window.session.engine
        self._at_work = True
        try:
            messages, info = (engine.recent, engine.info) if now else ((), None)
            text = report_text(what, trace, messages, info)
            return self.reports.keep(text), text
        except OSError as error:
            self._not_written(error)
            return None
        finally:
            self._at_work = False

    def _not_written(self, error: OSError) -> None:
        self._window.log.add(
            translate("Crash report", "A crash report could not be written: {reason}.").format(
                reason=why(error)
            )
        )

    def _way_to(self, path: Path, text: str) -> Fix:
        return Fix(
            translate("Crash report", "Read it, copy it, save it elsewhere or delete it"),
            "",
            translate("Crash report", "Read the report"),
            lambda: ReportDialog(path, text, self._window).open(),
        )

    def _tell(self, what: str, fix: Fix) -> None:
        meaning = translate("Crash report", _MEANING)
        self._window.show_notice(Notice("trouble", what, meaning, (fix,)))
