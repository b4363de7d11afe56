"""The Compare view: plans side by side, as cards, as curves and as a table."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from memplanner.report import differences, text
from memplanner.report.alignment import By, aligned, times_known
from memplanner.report.differences import Compared, letter
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.views.compare_cards import Cards
from memplanner_ui.views.compare_plot import ComparePlot
from memplanner_ui.views.compare_table import CompareTable
from memplanner_ui.views.copying import Written, forms
from memplanner_ui.views.rows import ElidedLabel, hairline, label
from memplanner_ui.views.segments import Segments

MOST_BASELINES = 6
_WIDE = 800
"""From here on there is room for the titles of what can be chosen."""
_LEAST_WIDTH = 460
_ALONE = translatable(
    "Views",
    "Keep this plan with Ctrl D, change it, and both stand here side by side. "
    "Plans that are kept are listed at the left.",
)


class CompareView(QWidget):
    """Shows ``Compared`` plans; the first three are drawn, all are in the table."""

    baseline_chosen = Signal(int)
    use_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._plans: tuple[Compared, ...] = ()
        self._baseline = 0
        letters = [letter(place) for place in range(MOST_BASELINES)]
        self.baselines = Segments(translate("Views", "Baseline"), [(one, one) for one in letters])
        self.alignment = Segments(
            translate("Views", "Align"),
            (("phase", translate("Views", "By phase")), ("time", translate("Views", "By time"))),
        )
        self.forms = Segments(
            translate("Views", "Show"),
            (
                ("categories", translate("Views", "Categories")),
                ("modules", translate("Views", "Modules")),
            ),
        )
        self.copy_button = QPushButton(translate("Views", "Copy as table"))
        self.cards = Cards()
        self.plot = ComparePlot()
        self.table = CompareTable()
        self._said = ElidedLabel()
        self._titles: list[QLabel] = []
        self._alone = label(translate("Views", _ALONE), "body", "faint", wrap=True)
        self._set_up()
        self.show_plans((), 0, 0)

    def _set_up(self) -> None:
        self._said.setFont(fonts.font("secondary"))
        self._said.setProperty("ink", "faint")
        icons.set_icon(self.copy_button, "copy")
        menu = QMenu(self.copy_button)
        for title, written in forms():
            menu.addAction(title).triggered.connect(lambda _=False, w=written: self.copy(w))
        self.copy_button.setMenu(menu)
        self.copy_button.setToolTip(translate("Views", "The whole table, to be pasted elsewhere"))
        bar = QWidget()
        above = QHBoxLayout(bar)
        above.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        above.setContentsMargins(12, 5, 14, 5)
        above.setSpacing(8)
        for title, choice in (
            (translate("Views", "Baseline"), self.baselines),
            (translate("Views", "Align"), self.alignment),
            (translate("Views", "Table"), self.forms),
        ):
            named = label(title, "body", "secondary")
            self._titles.append(named)
            above.addWidget(named)
            above.addWidget(choice)
            above.addSpacing(4)
        above.addWidget(self._said, 1)
        above.addWidget(self.copy_button)
        self._alone.setContentsMargins(14, 10, 14, 10)
        body = QWidget()
        body.setProperty("surface", "base")
        body.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        below = QVBoxLayout(body)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        for widget in (self.cards, hairline(), self._alone, self.plot, hairline()):
            below.addWidget(widget)
        below.addWidget(self.table, 1)
        scroll = QScrollArea()  # where text is large, cards and curves leave no room for the table
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(hairline())
        column.addWidget(scroll, 1)
        self.baselines.chosen.connect(lambda one: self.baseline_chosen.emit(ord(one) - ord("A")))
        self.alignment.chosen.connect(lambda _: self._show_steps())
        self.forms.chosen.connect(lambda _: self._show_table())
        self.cards.use_wanted.connect(self.use_wanted)
        self.table.copy_wanted.connect(lambda: self.copy(text.tabs))

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= fonts.scaled(_WIDE)
        for title in self._titles:  # what can be chosen says it, too
            title.setVisible(wide)
        self.copy_button.setText(
            translate("Views", "Copy as table") if wide else translate("Views", "Copy")
        )

    # What is shown

    def show_plans(self, plans: tuple[Compared, ...], baseline: int, open_place: int) -> None:
        """Shows plans against the one at ``baseline``; ``open_place`` is the open plan's, or -1."""
        self._plans, self._baseline = plans, baseline
        for place in range(MOST_BASELINES):
            self.baselines.set_available(letter(place), place < max(1, len(plans)))
        self.baselines.choose(letter(baseline))
        timed = times_known([one.estimate for one in plans])
        self.alignment.set_title(
            "time", translate("Views", "By time") if timed else translate("Views", "By event")
        )
        self._alone.setVisible(len(plans) == 1)
        self.copy_button.setEnabled(bool(plans))
        self.cards.show_plans(plans, baseline, open_place)
        self._show_steps()
        self._show_table()

    def set_waiting(self, words: str) -> None:
        """Says what is still being computed; empty when nothing is."""
        self._said.set_text(words)

    def _show_steps(self) -> None:
        estimates = [one.estimate for one in self._plans]
        by: By = "time" if self.alignment.is_on("time") else "phase"
        first = next((one for one in estimates if one is not None), None)
        capacity = None if first is None else first.device.memory_bytes
        self.plot.setVisible(first is not None)
        self.plot.show_steps(aligned(estimates, by), capacity)

    def _show_table(self) -> None:
        layers = self.forms.is_on("modules")
        self.table.show_plans(self._plans, self._baseline, layers=layers)

    def copy(self, written: Written) -> None:
        """Puts the whole table on the clipboard, written by one of ``report.text``."""
        layers = self.forms.is_on("modules")
        if self._plans:
            rows = differences.table(self._plans, self._baseline, layers=layers)
            QGuiApplication.clipboard().setText(written(rows))
