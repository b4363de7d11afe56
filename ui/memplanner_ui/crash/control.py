"""Takes what nobody foresaw, in the window and in the engine, and offers a report of it."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from memplanner.masking import mask
from memplanner.messages import protocol
from memplanner.writing import why
from memplanner_ui.crash.dialog import ReportDialog
from memplanner_ui.crash.report import Reports, report_text
from memplanner_ui.language import translatable, translate
from memplanner_ui.notices import Notice
from memplanner_ui.views.notice import Fix

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

_MEANING = translatable(
    "Crash report", "This is a defect of memplanner. A report of it lies on this machine alone."
)
_LONGEST = 200


class CrashControl(QObject):
    """Writes reports beside the settings; each is told in a notice that leads to it."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.reports = Reports(window.session.settings.path.parent / "reports")
        self._at_work = False
        window.session.engine.defect.connect(self.take_defect)

    def watch(self) -> None:
        """From here on what is raised in this process, and caught by nobody, is taken."""
        sys.excepthook = self.take

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

    def take_defect(self, failure: protocol.Failure) -> None:
        """Reports a defect that the engine told of; its trace is in what the engine wrote."""
        self._report(mask(failure.sentence), self._window.session.engine.log)

    def _report(self, what: str, trace: str) -> None:
        engine = self._window.session.engine
        self._at_work = True
        try:
            text = report_text(what, trace, engine.recent, engine.info)
            path = self.reports.keep(text)
        except OSError as error:
            self._window.log.add(
                translate("Crash report", "A crash report could not be written: {reason}.").format(
                    reason=why(error)
                )
            )
            return
        finally:
            self._at_work = False

        def read() -> None:
            ReportDialog(path, text, self._window).open()

        fix = Fix(
            translate("Crash report", "Read it, copy it, save it elsewhere or delete it"),
            "",
            translate("Crash report", "Read the report"),
            read,
        )
        notice = Notice("trouble", what, translate("Crash report", _MEANING), (fix,))
        # after the notice of whoever had asked, which says less
        QTimer.singleShot(0, self, lambda: self._window.show_notice(notice))
