"""The sensitivity view: what each layer loses in few bits, and bits for a number of bytes."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from memplanner.messages.sensitivity import LayerSensitivity, Sensitivity
from memplanner.units import MIB, format_bytes, format_count
from memplanner_ui.language import translatable, translate
from memplanner_ui.layer_edits import WHOLE, bits_words
from memplanner_ui.look import type as fonts
from memplanner_ui.views.figures_table import FiguresTable
from memplanner_ui.views.rows import ElidedLabel, label
from memplanner_ui.views.segments import Segments
from memplanner_ui.views.sensitivity_plot import (
    Measure,
    SensitivityPlot,
    readout,
    value_of,
    words_of,
)

_NOTHING = translatable(
    "Views",
    "Measure how much each linear layer loses in 8, 4, 3 and 2 bits, on the "
    "source’s own weights and a text. Then bits can be chosen for a number of "
    "bytes.",
)


class SensitivityView(QWidget):
    """Shows one ``Sensitivity``; asks to measure, to stop, and to choose bits."""

    measure_wanted = Signal()
    stop_wanted = Signal()
    bits_wanted = Signal(object, bool)
    """The budget in bytes, and whether the best choice is to be searched for."""
    layer_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sensitivity: Sensitivity | None = None
        self._kept: Mapping[str, str] = {}
        self.measure_button = QPushButton(translate("Views", "Measure"))
        self.stop_button = QPushButton(translate("Views", "Stop"))
        self.measures = Segments(
            translate("Views", "Shown"),
            (
                ("output_error", translate("Views", "Output error")),
                ("loss_rise", translate("Views", "Loss rise")),
            ),
        )
        self.forms = Segments(
            translate("Views", "As"),
            (("plot", translate("Views", "Plot")), ("table", translate("Views", "Table"))),
        )
        self.budget = QSpinBox()
        self.exact = QCheckBox(translate("Views", "Best possible"))
        self.choose_button = QPushButton(translate("Views", "Choose bits"))
        self.plot = SensitivityPlot()
        self.table = FiguresTable(translate("Views", "Sensitivity of layers"))
        self._said = ElidedLabel()
        self._readout = ElidedLabel()
        self._empty = label(translate("Views", _NOTHING), "body", "faint", wrap=True)
        self._set_up()
        self.set_sensitivity(None)
        self.set_measuring(False)

    def _set_up(self) -> None:
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.measure_button.clicked.connect(self.measure_wanted)
        self.stop_button.clicked.connect(self.stop_wanted)
        self.measures.chosen.connect(lambda _: self._show())
        self.forms.chosen.connect(lambda _: self._show_form())
        self.plot.pointed.connect(self._point)
        self.plot.layer_chosen.connect(self.layer_chosen)
        self.budget.setSuffix(translate("Views", " MiB"))
        self.budget.setLocale(QLocale.c())
        self.budget.setAccessibleName(
            translate("Views", "Budget for the model’s parameters and buffers, in MiB")
        )
        self.budget.setFixedWidth(fonts.scaled(110))
        self.exact.setToolTip(
            translate("Views", "Searched for exactly, instead of layer by layer; takes longer")
        )
        self.choose_button.setToolTip(
            translate("Views", "Gives each layer the bits that lose least together")
        )
        self.choose_button.clicked.connect(self._choose)
        self._readout.setFont(fonts.font("secondary"))
        self._readout.setIndent(8)
        self._said.setFont(fonts.font("secondary"))
        self._said.setProperty("ink", "faint")
        above = QHBoxLayout()
        above.setContentsMargins(12, 5, 14, 5)
        above.setSpacing(8)
        shown: tuple[QWidget, ...] = (
            self.measure_button, self.stop_button, self.measures, self.forms,
        )  # fmt: skip
        for widget in shown:
            above.addWidget(widget)
        above.addStretch(1)
        self._budget_row = QWidget()
        below = QHBoxLayout(self._budget_row)
        below.setContentsMargins(12, 0, 14, 5)
        below.setSpacing(8)
        title = label(translate("Views", "Bits for a model of"), "body", "secondary")
        title.setBuddy(self.budget)
        choosing: tuple[QWidget, ...] = (title, self.budget, self.choose_button, self.exact)
        for widget in choosing:
            below.addWidget(widget)
        below.addWidget(self._said, 1)
        self._pages = QStackedWidget()
        nothing = QWidget()
        middle = QVBoxLayout(nothing)
        middle.setContentsMargins(24, 24, 24, 24)
        middle.addWidget(self._empty, 0, Qt.AlignmentFlag.AlignTop)
        drawing = QWidget()
        drawn = QVBoxLayout(drawing)
        drawn.setContentsMargins(4, 0, 8, 8)
        drawn.setSpacing(4)
        drawn.addWidget(self.plot, 1)
        drawn.addWidget(self._readout)
        for page in (nothing, drawing, self.table):
            self._pages.addWidget(page)
        self.table.setAlternatingRowColors(True)
        self.table.copy_wanted.connect(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(above)
        column.addWidget(self._budget_row)
        column.addWidget(self._pages, 1)

    # What is shown

    @property
    def sensitivity(self) -> Sensitivity | None:
        """What is shown."""
        return self._sensitivity

    def set_sensitivity(self, sensitivity: Sensitivity | None) -> None:
        """Shows what was measured, or that nothing was."""
        self._sensitivity = sensitivity
        known = sensitivity is not None
        for widget in (self.measures, self.forms, self._budget_row):
            widget.setVisible(known)
        self.measure_button.setText(
            translate("Views", "Measure again") if known else translate("Views", "Measure")
        )
        if sensitivity is not None:
            rises = any(one.loss_rise is not None for row in sensitivity.layers
                        for one in row.choices)  # fmt: skip
            self.measures.set_available("loss_rise", rises)
            least, most = limits(sensitivity)
            self.budget.setRange(-(-least // MIB), max(most // MIB, 1))
            self.budget.setValue((least + most) // 2 // MIB)
            words = translate("Views", "{least} to {most}").format(
                least=format_bytes(least), most=format_bytes(most)
            )
            self.budget.setToolTip(
                translate("Views", "Parameters and buffers together: {words}").format(words=words)
            )
            count = format_count(sensitivity.count)
            self._said.set_text(
                translate("Views", "measured on {data}: {count} {unit}").format(
                    data=sensitivity.data, count=count, unit=sensitivity.unit
                )
            )
        self._show()
        self._show_form()

    def set_kept(self, kept: Mapping[str, str]) -> None:
        """By layer, what the plan keeps it in."""
        self._kept = kept
        self.plot.show_kept(kept)
        if self._sensitivity is not None:
            self._fill_table(self._sensitivity)

    def set_measuring(self, measuring: bool) -> None:
        """Follows whether a measurement is under way."""
        self.measure_button.setVisible(not measuring)
        self.stop_button.setVisible(measuring)
        self.choose_button.setEnabled(not measuring)

    @property
    def _measure(self) -> Measure:
        return "loss_rise" if self.measures.is_on("loss_rise") else "output_error"

    def _show(self) -> None:
        self.plot.show_sensitivity(self._sensitivity, self._measure)
        self.plot.show_kept(self._kept)
        self._point(None)
        if self._sensitivity is not None:
            self._fill_table(self._sensitivity)

    def _show_form(self) -> None:
        place = 0 if self._sensitivity is None else 1 if self.forms.is_on("plot") else 2
        self._pages.setCurrentIndex(place)

    def _point(self, layer: LayerSensitivity | None) -> None:
        words = translate("Views", "Point at a layer, or go through them with the arrow keys.")
        if layer is not None:
            words = readout(layer, self._measure, self._kept)
        self._readout.set_text(words if self._sensitivity is not None else "")

    def _values(self, sensitivity: Sensitivity) -> list[str]:
        found = dict.fromkeys(one.value for layer in sensitivity.layers for one in layer.choices)
        return [value for value in found if value != WHOLE]

    def _titles(self, sensitivity: Sensitivity) -> list[str]:
        bits = (bits_words(value) for value in self._values(sensitivity))
        return [
            translate("Views", "Layer"),
            translate("Views", "Weights"),
            *bits,
            translate("Views", "Kept in"),
        ]

    def _fill_table(self, sensitivity: Sensitivity) -> None:
        self.table.set_titles(self._titles(sensitivity))
        self.table.set_rows(self._cells(sensitivity))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def _cells(self, sensitivity: Sensitivity) -> list[list[str]]:
        measure, rows = self._measure, []
        for layer in sensitivity.layers:
            told = {one.value: words_of(value_of(one, measure), measure) for one in layer.choices}
            kept = self._kept.get(layer.name)
            rows.append(
                [
                    layer.name,
                    format_count(layer.weights),
                    *(told.get(value, "") for value in self._values(sensitivity)),
                    bits_words(kept) if kept else "",
                ]
            )
        return rows

    def copy(self) -> None:
        """Puts the whole table on the clipboard."""
        if self._sensitivity is not None:
            rows = [self._titles(self._sensitivity), *self._cells(self._sensitivity)]
            QGuiApplication.clipboard().setText("\n".join("\t".join(row) for row in rows))

    def _choose(self) -> None:
        self.bits_wanted.emit(self.budget.value() * MIB, self.exact.isChecked())


def limits(sensitivity: Sensitivity) -> tuple[int, int]:
    """The least and the most that the model can take, in bytes."""
    sizes = [[one.size_bytes for one in layer.choices] for layer in sensitivity.layers]
    least = sensitivity.other_bytes + sum(min(each, default=0) for each in sizes)
    return least, sensitivity.other_bytes + sum(max(each, default=0) for each in sizes)
