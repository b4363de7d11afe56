"""The History view: how far predictions were off, run after run, over a table of the runs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from memplanner.messages.history import KeptRun
from memplanner.report import past_runs, text
from memplanner.units import format_count
from memplanner_ui.language import plural, translatable, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.views.copying import Written, forms
from memplanner_ui.views.history_data import PastRuns
from memplanner_ui.views.history_plot import HistoryPlot
from memplanner_ui.views.history_table import HistoryTable
from memplanner_ui.views.history_words import told
from memplanner_ui.views.rows import ElidedLabel, hairline, label

NONE_YET = translatable(
    "Views",
    "No runs are kept yet. Apply (Ctrl R) runs the plan for a few real steps on "
    "this machine; what it measures is kept, and stands here beside what was "
    "predicted.",
)
NONE_THERE = translatable(
    "Views",
    "{machine} keeps no runs yet. Apply (Ctrl R) runs the plan there for a few real steps; what it "
    "measures is kept there, and stands here beside what was predicted.",
)
_READING = translatable("Views", "The history is being read.")
_NONE_FOUND = translatable("Views", "No run has all of these words.")
_ALL = ""
"""The data of the entry for all cards."""
_WIDE = 700
"""From here on there is room for the titles of what can be chosen."""
_LEAST_WIDTH = 440
_MARKS = translatable(
    "Views", "error = (predicted − measured) / measured; triangle: 3 % and more; cross: cut short"
)


class HistoryView(QWidget):
    """Shows ``PastRuns``; tells which is selected and whose plan is to be used."""

    selected = Signal(object)
    """A ``KeptRun``, or None."""
    use_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._past = PastRuns()
        self._without = translate("Views", _READING)
        self._selected: int | None = None
        self._chosen = False
        """Whether the card was chosen by hand."""
        self.card = QComboBox()
        self.filter_field = QLineEdit()
        self.copy_button = QPushButton(translate("Views", "Copy as table"))
        self.plot = HistoryPlot()
        self.table = HistoryTable()
        self._title = label(translate("Views", "Device"), "body", "secondary")
        self.said = ElidedLabel()
        self._marks = ElidedLabel(translate("Views", _MARKS))
        self.empty = label(translate("Views", NONE_YET), "body", "secondary", wrap=True)
        self.note = label("", "secondary", "secondary", wrap=True)
        self._parts = QSplitter(Qt.Orientation.Vertical)
        self._set_up()
        self._show()

    def _set_up(self) -> None:
        self.card.setAccessibleName(translate("Views", "Device whose runs are shown"))
        self.card.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.card.setMaximumWidth(fonts.scaled(230))
        self._title.setBuddy(self.card)
        self.card.activated.connect(lambda _: self._on_card())
        field = self.filter_field
        field.setPlaceholderText(translate("Views", "Filter runs"))
        field.setAccessibleName(translate("Views", "Filter runs by model, plan or date"))
        field.setToolTip(translate("Views", "Words of a row, such as LoRA 2026-01"))
        field.setClearButtonEnabled(True)
        field.setMinimumWidth(fonts.scaled(90))
        field.setMaximumWidth(fonts.scaled(180))
        action = QAction(field)
        icons.set_icon(action, "search", "text3")
        field.addAction(action, QLineEdit.ActionPosition.LeadingPosition)
        field.textChanged.connect(lambda _: self._show())
        icons.set_icon(self.copy_button, "copy")
        menu = QMenu(self.copy_button)
        for title, written in forms():
            menu.addAction(title).triggered.connect(lambda _=False, w=written: self.copy(w))
        self.copy_button.setMenu(menu)
        self.copy_button.setToolTip(
            translate("Views", "The runs that are listed, to be pasted elsewhere")
        )
        for line, ink in ((self.said, "secondary"), (self._marks, "faint")):
            line.setFont(fonts.font("secondary"))
            line.setProperty("ink", ink)
        bar = QWidget()
        above = QHBoxLayout(bar)
        above.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        above.setContentsMargins(12, 5, 14, 5)
        above.setSpacing(8)
        above.addWidget(self._title)
        above.addWidget(self.card)
        above.addWidget(self.said, 2)
        above.addWidget(field, 1)
        above.addWidget(self.copy_button)
        drawing = QWidget()
        drawn = QVBoxLayout(drawing)
        drawn.setContentsMargins(0, 0, 0, 0)
        drawn.setSpacing(0)
        marks = QHBoxLayout()
        marks.setContentsMargins(12, 4, 14, 0)
        marks.addWidget(self._marks)
        drawn.addLayout(marks)
        drawn.addWidget(self.plot, 1)
        self._parts.setChildrenCollapsible(False)
        self._parts.addWidget(drawing)
        self._parts.addWidget(self.table)
        self._parts.setSizes([260, 300])
        for words in (self.empty, self.note):
            words.setContentsMargins(14, 8, 14, 8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(hairline())
        column.addWidget(self.empty)
        column.addWidget(self._parts, 1)
        column.addWidget(self.note)
        column.addStretch(0)
        for source in (self.plot.selected, self.table.selected):
            source.connect(self._on_selected)
        self.table.activated_run.connect(self._on_activated)
        self.table.copy_wanted.connect(lambda: self.copy(text.tabs))

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= fonts.scaled(_WIDE)
        self._title.setVisible(wide)
        self.copy_button.setText(
            translate("Views", "Copy as table") if wide else translate("Views", "Copy")
        )

    # What is shown

    def show_past(self, past: PastRuns, card: str | None, machine: str = "") -> None:
        """Shows what is kept, of ``card`` unless another was chosen; None: no card is planned.

        ``machine`` is where it is kept, if not here.
        """
        self._past, self._without = past, translate("Views", NONE_YET)
        if machine:
            self._without = translate("Views", NONE_THERE).format(machine=machine)
        names = past.names()
        now = self.current_card if self._chosen else card
        self.card.clear()
        self.card.addItem(translate("Views", "All devices"), _ALL)
        for key, name in names.items():
            self.card.addItem(name, key)
        self.card.setCurrentIndex(max(0, self.card.findData(now or _ALL)))
        self._show()

    def show_trouble(self, sentence: str) -> None:
        """Says why nothing can be shown."""
        self._past, self._without = PastRuns(), sentence
        self._show()

    @property
    def current_card(self) -> str | None:
        """The card whose runs are shown; None for all."""
        return self.card.currentData() or None

    @property
    def shown(self) -> tuple[KeptRun, ...]:
        """The runs that are listed, the latest first."""
        past = self._past
        return past.having(past.of(self.current_card), self.filter_field.text())

    def _show(self) -> None:
        runs, any_kept = self.shown, bool(self._past.runs)
        words = told(runs)
        self.said.set_text(words[:1].upper() + words[1:])
        for widget in (self.card, self.filter_field, self.copy_button):
            widget.setEnabled(any_kept)
        self.empty.setText(translate("Views", _NONE_FOUND) if any_kept else self._without)
        self.empty.setVisible(not runs)
        self._parts.setVisible(bool(runs))
        self.copy_button.setEnabled(bool(runs))
        several = len(self._past.names()) > 1 and self.current_card is None
        self.plot.show_runs(runs)
        self.table.show_runs([(run, self._past.row(run)) for run in runs], several_cards=several)
        self.note.setText(self._left_out())
        self.note.setVisible(bool(self.note.text()))
        self.select(self._selected)

    def _left_out(self) -> str:
        past, said = self._past, []
        older = past.total - len(past.runs) - past.unreadable
        if older > 0:
            said.append(
                translate("Views", "{older} older not shown.").format(older=format_count(older))
            )
        if past.unreadable:
            count = past.unreadable
            said.append(
                plural(
                    "Views",
                    "{count} runs cannot be read by this version and are left out.",
                    "{count} run cannot be read by this version and is left out.",
                    count,
                ).format(count=format_count(count))
            )
        return " ".join(said)

    def select(self, number: int | None) -> None:
        """Shows one run as the selected one in plot and table."""
        self._selected = number
        self.plot.select(number)
        self.table.select(number)

    def focus_filter(self) -> None:
        """Puts the cursor into the filter field."""
        self.filter_field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter_field.selectAll()

    def copy(self, written: Written) -> None:
        """Puts the listed runs on the clipboard as they stand, as ``report.text`` writes."""
        order = self.table.numbers()
        runs = sorted(self.shown, key=lambda run: order.index(run.id))
        QGuiApplication.clipboard().setText(written(past_runs.table(runs)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.filter_field.text():
            self.filter_field.clear()
            event.accept()
            return
        super().keyPressEvent(event)

    def _on_card(self) -> None:
        self._chosen = True
        self._show()

    def _on_selected(self, number: int) -> None:
        self.select(number)
        self.selected.emit(self._past.find(number))

    def _on_activated(self, number: int) -> None:
        self._on_selected(number)
        self.use_wanted.emit(self._past.find(number))
