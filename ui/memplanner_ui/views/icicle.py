"""The icicle view: the module hierarchy, where width is bytes at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from memplanner.messages.estimate import Estimate, Layer, Moment
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views import swatch
from memplanner_ui.views.icicle_data import ALL, COLUMNS, Frame, Icicle
from memplanner_ui.views.icicle_map import IcicleMap
from memplanner_ui.views.icicle_table import IcicleTable
from memplanner_ui.views.layer_query import Query
from memplanner_ui.views.layer_query_field import QueryField
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.layers import OF_TRAINING, moments, root_work
from memplanner_ui.views.parts import PARTS, around_rows, title_of
from memplanner_ui.views.rows import ElidedLabel, label
from memplanner_ui.views.segments import Segments
from memplanner_ui.views.uses import round_of, trains

_HINT = translatable(
    "Views", "Width is bytes. Click or Return zooms in, Backspace goes up, Space selects."
)
_NONE = translatable("Views", "The modules of a plan are drawn here once it is estimated.")
_NOTHING = translatable("Views", "No module holds any of this at this moment.")
_ALLOCATED = translatable("Views", "Allocated")
"""The whole at other moments than the peak: what the device holds then is not known."""
_AS_TABLE, _AS_TILES = (
    translatable("Views", "Show as table"),
    translatable("Views", "Show as icicle"),
)


class IcicleView(QWidget):
    """Follows the estimate while it is shown. ``module_selected`` gives what is chosen in it.

    Choosing another moment emits ``moment_requested``; the answer comes through ``set_layers``.
    """

    moment_requested = Signal(str)
    module_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._estimate: Estimate | None = None
        self._layers: tuple[Layer, ...] = ()
        self._moment: Moment = "peak"
        self._selected: str | None = None
        self._stale = True
        self.filter_field = QueryField(translate("Views", "Find modules"))
        self.column = QComboBox()
        self.as_table = QPushButton(translate("Views", _AS_TABLE))
        self.whole = QPushButton(translate("Views", "Whole"))
        self.moments = Segments(translate("Views", "Bytes at"), moments())
        self.fold_box = QCheckBox(translate("Views", "Group alike blocks"))
        self.readout = ElidedLabel()
        self.map = IcicleMap()
        self.table = IcicleTable()
        self._empty = label(translate("Views", _NONE), "body", "faint", wrap=True)
        self._pages = QStackedWidget()
        self._set_up()
        self._show_page()

    def _set_up(self) -> None:
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.column.setAccessibleName(translate("Views", "Category"))
        self.column.setToolTip(translate("Views", "What the width stands for"))
        for column in (ALL, *PARTS):
            self.column.addItem(
                translate("Views", "All categories") if column == ALL else title_of(column), column
            )
            if column != ALL:
                self.column.setItemIcon(self.column.count() - 1, swatch.icon(column))
        self.fold_box.setChecked(True)
        self.as_table.setProperty("small", True)
        self.as_table.setCheckable(True)
        self.as_table.setToolTip(translate("Views", "The same as a table (Alt+T)"))
        self.whole.setProperty("small", True)
        self.whole.setToolTip(translate("Views", "Show the whole (Home)"))
        self.readout.setFont(fonts.font("secondary"))
        self.readout.setProperty("ink", "secondary")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.filter_field.query_changed.connect(self._dim)
        self.column.currentIndexChanged.connect(lambda _: self._rebuild())
        self.moments.chosen.connect(self._moment_chosen)
        self.fold_box.toggled.connect(lambda _: self._rebuild())
        self.as_table.toggled.connect(lambda _: self._show_page())
        self.whole.clicked.connect(self.map.zoom_to_all)
        self.map.chosen.connect(self.module_selected)
        self.map.pointed.connect(
            lambda words: self.readout.set_text(words or translate("Views", _HINT))
        )
        self.map.zoomed.connect(self._zoomed)
        self.table.opened.connect(lambda place: self.map.open_tile(self.map.tiles[place]))
        self._lay_out()

    def _lay_out(self) -> None:
        self._moment_row = QWidget()
        moments = QHBoxLayout(self._moment_row)
        moments.setContentsMargins(0, 0, 0, 0)
        moments.setSpacing(8)
        moments.addWidget(label(translate("Views", "Bytes at"), "body", "secondary"))
        moments.addWidget(self.moments)
        moments.addStretch(1)
        self._bar = bar = QGridLayout()
        bar.setContentsMargins(12, 5, 14, 5)
        bar.setHorizontalSpacing(8)
        bar.setVerticalSpacing(5)
        bar.setColumnStretch(2, 1)
        self._place_bar(wide=True)
        self.filter_field.error.setContentsMargins(12, 0, 14, 5)
        self.readout.setContentsMargins(14, 0, 14, 4)
        drawn, read = QWidget(), QWidget()
        for page, content in ((drawn, self.map), (read, self.table)):
            column_ = QVBoxLayout(page)
            column_.setContentsMargins(10, 0, 10, 8)
            column_.addWidget(content)
        for page in (self._empty, drawn, read):
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self.filter_field.error)
        layout.addWidget(self.readout)
        layout.addWidget(self._pages, 1)

    def minimumSizeHint(self) -> QSize:
        """Of the moments alone: the rest goes below them where it has to."""
        margins = self._bar.contentsMargins()
        least = self._moment_row.minimumSizeHint().width() + margins.left() + margins.right()
        return QSize(least, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Gives the moments a row of their own where they need all of it."""
        needed = self._moment_row.sizeHint().width() + self.fold_box.sizeHint().width() + 40
        self._place_bar(wide=needed <= self.width())
        super().resizeEvent(event)

    def _place_bar(self, *, wide: bool) -> None:
        bar, row = self._bar, 0 if wide else 2
        bar.addWidget(self.filter_field, 0, 0)
        bar.addWidget(self.column, 0, 1, 1, 1 if wide else 4)
        bar.addWidget(self.whole, row, 3)
        bar.addWidget(self.as_table, row, 4)
        bar.addWidget(self._moment_row, 1, 0, 1, 3 if wide else 5)
        bar.addWidget(self.fold_box, *((1, 3, 1, 2) if wide else (2, 0, 1, 3)))

    # What is shown

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows the layers of ``estimate``; asks for those of another moment when one is chosen."""
        self._estimate = estimate
        self._layers = ()
        if estimate is not None:
            training = trains(estimate.plan)
            for moment in OF_TRAINING:
                self.moments.set_available(moment, training)
            if not training and self._moment in OF_TRAINING:
                self._moment = "peak"
                self.moments.choose("peak")
            if self._moment == "peak":
                self._layers = estimate.layers
            else:
                self.moment_requested.emit(self._moment)
                return
        self._rebuild()

    def set_layers(self, moment: Moment, layers: Sequence[Layer]) -> None:
        """Shows ``layers`` as they are at ``moment``; ignored when another one is chosen by now."""
        if moment == self._moment:
            self._layers = tuple(layers)
            self._rebuild()

    def select(self, name: str | None) -> None:
        """Shows which module is selected; None: none."""
        self._selected = name
        if not self._stale:
            self.map.select(name)

    def focus_filter(self) -> None:
        """Puts the cursor into the field that modules are found by."""
        self.filter_field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter_field.selectAll()

    def toggle_table(self) -> None:
        """Shows the table instead of the tiles, or the tiles again."""
        self.as_table.toggle()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._rebuild()

    def _rebuild(self) -> None:
        """Builds the tiles where they can be seen; else once they can."""
        self._stale = not self.isVisible()
        if self._stale:
            return
        icicle = self._make()
        self.map.show_icicle(icicle, str(self.column.currentData()))
        self._dim(self.filter_field.query)
        self.map.select(self._selected)
        self._show_page()

    def _make(self) -> Icicle | None:
        estimate = self._estimate
        if estimate is None or not self._layers:
            return None
        peak = self._moment == "peak"
        title = estimate.model.name or estimate.model.class_name
        before = self.map.icicle
        table = LayerTable(
            self._layers,
            title,
            around_rows(estimate) if peak else (),
            group=self.fold_box.isChecked(),
            known=None if before is None else before.table.row_names,
            root_work=root_work(round_of(estimate.plan)),
        )
        frame = Frame.of(estimate) if peak else Frame(translate("Views", _ALLOCATED))
        icicle = Icicle(table, frame, fold=self.fold_box.isChecked())
        self._offer(icicle)
        return icicle

    def _offer(self, icicle: Icicle) -> None:
        """Categories of which there is nothing cannot be chosen."""
        held = icicle.bytes[0] > 0
        model = self.column.model()
        for row in range(1, self.column.count()):
            there = bool(held[COLUMNS.index(self.column.itemData(row))])
            flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            value = flags if there else Qt.ItemFlag.NoItemFlags
            model.setData(model.index(row, 0), value.value, Qt.ItemDataRole.UserRole - 1)

    def _show_page(self) -> None:
        icicle = self.map.icicle
        column = str(self.column.currentData())
        shown = icicle is not None and bool(icicle.spans(column)[1].any())
        self._empty.setText(
            translate("Views", _NONE) if icicle is None else translate("Views", _NOTHING)
        )
        table = self.as_table.isChecked()
        self.as_table.setText(translate("Views", _AS_TILES if table else _AS_TABLE))
        self.as_table.setEnabled(shown)
        self.readout.setVisible(shown and not table)
        self._pages.setCurrentIndex(0 if not shown else 2 if table else 1)
        self._zoomed()

    def _zoomed(self) -> None:
        self.whole.setEnabled(self.map.is_zoomed)
        if self.as_table.isChecked():
            column = str(self.column.currentData())
            self.table.show_tiles(self.map.icicle, self.map.tiles, column)
        self.map.say()

    def _dim(self, query: Query) -> None:
        icicle = self.map.icicle
        self.map.set_found(icicle.matches(query) if icicle is not None and query else None)

    def _moment_chosen(self, value: str) -> None:
        moment = next(moment for moment in get_args(Moment) if moment == value)
        if moment == self._moment:
            return
        self._moment = moment
        if moment == "peak" and self._estimate is not None:
            self.set_layers("peak", self._estimate.layers)
        else:
            self.moment_requested.emit(moment)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape empties the field."""
        if event.key() == Qt.Key.Key_Escape and self.filter_field.text():
            self.filter_field.clear()
            event.accept()
            return
        super().keyPressEvent(event)
