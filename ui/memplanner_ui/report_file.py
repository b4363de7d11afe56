"""File → Report…: the plan, and those it is compared with, as HTML, PDF or CSV."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from memplanner.report import page
from memplanner.report.layers import layers_csv
from memplanner.writing import why, write_whole
from memplanner_ui import files
from memplanner_ui.compare_control import CompareControl
from memplanner_ui.language import translatable, translate
from memplanner_ui.notices import Notice
from memplanner_ui.report_pdf import write_pdf
from memplanner_ui.run_control import RunControl
from memplanner_ui.session import Session

_KINDS = translatable("Window", "Report (*.html);;Report for paper (*.pdf);;Layer table (*.csv)")


class ReportFile(QObject):
    """Asks for a file and writes the report of what is open."""

    said = Signal(str)

    def __init__(
        self, session: Session, compare: CompareControl, runs: RunControl, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._session, self._compare, self._runs = session, compare, runs
        self._window = parent

    def choose_file(self) -> None:
        """Asks where to write; the file's ending says what."""
        report = self.report()
        if report is None:
            words = translate(
                "Window", "There is no estimate of this plan yet; the report is made of one."
            )
            self._session.noticed.emit(Notice("info", words))
            return
        name = f"{report.estimate.model.name} on {report.estimate.device.name}.html"
        name = name.replace("/", "-")
        folder = self._session.settings.values.folder
        files.choose_new_file(
            self._window,
            translate("Window", "Save a report"),
            translate("Window", _KINDS),
            name,
            self.write,
            folder,
        )

    def write(self, path: str) -> None:
        """Writes the report to ``path``: PDF or CSV by its ending, else HTML."""
        report = self.report()
        if report is None:
            return
        self._session.settings.update(folder=str(Path(path).parent))
        ending = Path(path).suffix.lower()
        try:
            if ending == ".pdf":
                write_pdf(report, Path(path))
            else:
                text = layers_csv(report.estimate) if ending == ".csv" else page.html(report)
                write_whole(Path(path), text)
        except OSError as error:
            words = translate(
                "Window", "{path} cannot be written: {reason}; choose another place."
            ).format(path=path, reason=why(error))
            self._session.noticed.emit(Notice("trouble", words))
        else:
            self.said.emit(translate("Window", "Wrote {path}").format(path=path))

    def report(self) -> page.Report | None:
        """What the report is made of; None without an estimate of the plan as it is."""
        document, info = self._session.document, self._session.engine.info
        estimate, device = document.estimate, document.device
        if estimate is None or device is None or not document.estimate_is_current:
            return None
        if estimate.device.selector != device.selector:
            return None  # that of the device before
        versions = {}
        if info is not None:
            torch = info.torch or "none"
            versions = {
                "memplanner": info.version,
                "torch": torch,
                "Python": info.python,
            }
        result = self._runs.result
        return page.Report(
            estimate=estimate,
            versions=versions,
            date=time.strftime("%Y-%m-%d"),
            name=document.plan_name + ("*" if document.dirty else ""),
            others=self._compare.others(),
            run=result if result is not None and result.plan == estimate.plan else None,
        )
