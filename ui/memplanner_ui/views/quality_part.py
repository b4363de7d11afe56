"""What compression costs and saves, as a part of the run's panel."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from memplanner.messages.run import QualityFigures, QualityReport
from memplanner.units import NOTHING, format_bytes, format_count
from memplanner_ui.language import translate
from memplanner_ui.views.quality_charts import BeforeAfter, ErrorBars, error_words
from memplanner_ui.views.quality_table import QualityTable, text_of
from memplanner_ui.views.rows import Part, label
from memplanner_ui.views.run_charts import loss_words

ARROW = "→"


class QualityPart(Part):
    """Before → after as numbers and bars; the output error of each layer; copy and table."""

    layer_chosen = Signal(str)
    """A layer's bar was chosen: its name."""

    def __init__(self) -> None:
        super().__init__(translate("Views", "Quality"))
        self._report: QualityReport | None = None
        self._rows: list[_Row] = []
        for name, read, words in (
            (translate("Views", "Perplexity"), lambda one: one.perplexity, _loss),
            (translate("Views", "Mean loss"), lambda one: one.loss, _loss),
            (translate("Views", "In memory"), lambda one: one.memory_bytes, format_bytes),
            (translate("Views", "On disk"), lambda one: one.disk_bytes, format_bytes),
            (translate("Views", "Forward, per second"), lambda one: one.per_second, _speed),
        ):
            self._rows.append(_Row(self, name, read, words))
        self._error = self.add_pair(translate("Views", "Largest output error"))
        self.chart = ErrorBars()
        self.chart.layer_chosen.connect(self.layer_chosen)
        self.add(self.chart)
        self._none = label(
            translate(
                "Views", "Some layers went, so that outputs of the others cannot be compared."
            ),
            "secondary",
            "faint",
            wrap=True,
        )
        self.add(self._none)
        self._copy = QPushButton(translate("Views", "Copy"))
        self._copy.setProperty("small", True)
        self._copy.setToolTip(translate("Views", "The whole report, as a table of plain numbers"))
        self._copy.clicked.connect(self.copy)
        self._table = QPushButton(translate("Views", "Show as table…"))
        self._table.setProperty("small", True)
        self._table.clicked.connect(self._open_table)
        buttons = QWidget()
        line = QHBoxLayout(buttons)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self._copy)
        line.addWidget(self._table)
        line.addStretch(1)
        self.add(buttons)

    def set_report(self, report: QualityReport | None) -> None:
        """Shows ``report``; without one nothing."""
        self._report = report
        self.right.setText("" if report is None else report.data.partition(",")[0])
        self.right.setToolTip("" if report is None else report.data)
        for row in self._rows:
            row.show_report(report)
        layers = () if report is None else report.layers
        largest = max(layers, key=lambda layer: layer.output_error, default=None)
        self._error.setText(NOTHING if largest is None else error_words(largest.output_error))
        self._error.setToolTip("" if largest is None else largest.name)
        self.chart.set_layers(layers)
        self.chart.setVisible(bool(layers))
        self._none.setVisible(not layers)
        self._table.setVisible(bool(layers))

    def copy(self) -> None:
        """Puts the whole report on the clipboard."""
        if self._report is not None:
            QGuiApplication.clipboard().setText(text_of(self._report))

    def _open_table(self) -> None:
        if self._report is not None:
            QualityTable(self._report, self.window()).open()


class _Row:
    """A name, its two values, and their bars below."""

    def __init__(
        self,
        part: Part,
        name: str,
        read: Callable[[QualityFigures], float | None],
        words: Callable[..., str],
    ) -> None:
        self._read, self._words = read, words
        self._shown = part.add_pair(name)
        self._bars = BeforeAfter(translate("Views", "{name} before and after").format(name=name))
        part.add(self._bars)

    def show_report(self, report: QualityReport | None) -> None:
        """Shows what it reads of both sides."""
        if report is None:
            self._shown.setText("")
            self._bars.set_values(None, None)
            return
        before, after = self._read(report.before), self._read(report.after)
        self._shown.setText(_pair(before, after, self._words))
        self._bars.set_values(before, after)
        self._bars.setAccessibleDescription(self._shown.text())


def _pair(before: float | None, after: float | None, words: Callable[..., str]) -> str:
    """``24.35 → 24.37``; a dash for what is not known."""
    if before is None and after is None:
        return NOTHING
    old, new = (NOTHING if value is None else words(value) for value in (before, after))
    return f"{old} {ARROW} {new}"


def _loss(value: float) -> str:
    return format_count(round(value)) if 1000 <= value < inf else loss_words(value)


def _speed(value: float) -> str:
    return format_count(round(value)) if value >= 100 else f"{value:.3g}"
