"""The layers view: a filter bar over the tree of modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QVBoxLayout,
    QWidget,
)

from memplanner.garbage import without_collection
from memplanner.messages.estimate import Estimate, Layer, Moment
from memplanner.plan.inference import Round
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.layer_query import Query
from memplanner_ui.views.layer_query_field import QueryField
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.layer_tree import LayerTree
from memplanner_ui.views.layer_types import TypeTable
from memplanner_ui.views.parts import absent_parts, around_rows
from memplanner_ui.views.segments import Segments
from memplanner_ui.views.smallest_change import SmallestChangeBar
from memplanner_ui.views.uses import round_of, trains

MOMENTS: tuple[tuple[Moment, str], ...] = (
    ("peak", translatable("Views", "Peak")),
    ("end_of_forward", translatable("Views", "End of forward")),
    ("optimizer_step", translatable("Views", "Optimizer step")),
    ("own_maximum", translatable("Views", "Own maximum")),
)
OF_TRAINING = ("end_of_forward", "optimizer_step")
ROOT_WORK = {
    "step": translatable("Views", "loss and optimizer step"),
    "generation": translatable("Views", "choosing the next token"),
    "forward": "",
}


def moments() -> tuple[tuple[Moment, str], ...]:
    """The moments that bytes are shown at, with their titles."""
    return tuple((moment, translate("Views", title)) for moment, title in MOMENTS)


def root_work(word: Round) -> str:
    """What the model itself does beside its modules."""
    return translate("Views", ROOT_WORK[word]) if ROOT_WORK[word] else ""


class LayersView(QWidget):
    """The tree of modules with their bytes at one moment.

    Choosing another moment emits ``moment_requested``; the answer comes through ``set_layers``.
    """

    moment_requested = Signal(str)
    module_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._estimate: Estimate | None = None
        self._layers: tuple[Layer, ...] = ()
        self._moment: Moment = "peak"
        self._single_out = ""
        self.tree = LayerTree()
        self.tree.module_selected.connect(self.module_selected)
        self.filter_field = QueryField(translate("Views", "Filter modules"))
        self.moments = Segments(translate("Views", "Bytes at"), moments())
        self.group_box = QCheckBox(translate("Views", "Group alike blocks"))
        self.type_box = QCheckBox(translate("Views", "By type"))
        self.smallest = SmallestChangeBar()
        self._said = QLabel()
        self._set_up()

    def _set_up(self) -> None:
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        field = self.filter_field
        field.query_changed.connect(self._filter)
        self.moments.chosen.connect(self._moment_chosen)
        self.group_box.setChecked(True)
        self.group_box.toggled.connect(self._rebuild)
        self.type_box.setToolTip(
            translate("Views", "Modules below their types, the largest type first")
        )
        self.type_box.toggled.connect(self._group_by_type)
        label = QLabel(translate("Views", "Bytes at"))
        label.setProperty("ink", "secondary")
        self._moment_row = QWidget()
        moments = QHBoxLayout(self._moment_row)
        moments.setContentsMargins(0, 0, 0, 0)
        moments.setSpacing(8)
        moments.addWidget(label)
        moments.addWidget(self.moments)
        moments.addStretch(1)
        self._said.setProperty("ink", "faint")
        self._said.setFont(fonts.font("secondary"))
        self._bar = bar = QGridLayout()
        bar.setContentsMargins(12, 5, 14, 5)
        bar.setHorizontalSpacing(8)
        bar.setVerticalSpacing(5)
        bar.addWidget(field, 0, 0)
        bar.addWidget(self._moment_row, 0, 1)
        bar.addWidget(self._said, 0, 2)
        bar.addWidget(self.group_box, 0, 4)
        bar.addWidget(self.type_box, 0, 5)
        bar.setColumnStretch(0, 1)
        bar.setColumnStretch(3, 1)
        layout = QVBoxLayout(self)
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        field.error.setContentsMargins(12, 0, 14, 5)
        layout.addLayout(bar)
        layout.addWidget(field.error)
        layout.addWidget(self.smallest)
        layout.addWidget(self.tree, 1)

    def minimumSizeHint(self) -> QSize:
        """Of the moments alone, which go below the filter where they have to."""
        margins = self._bar.contentsMargins()
        least = self._moment_row.minimumSizeHint().width() + margins.left() + margins.right()
        return QSize(least, super().minimumSizeHint().height())

    def resizeEvent(self, event: object) -> None:
        """Gives the moments a row of their own where they have no room beside the filter."""
        margins = self._bar.contentsMargins()
        needed = margins.left() + margins.right() + 5 * self._bar.horizontalSpacing()
        needed += self.filter_field.minimumWidth()
        for part in (self._moment_row, self.group_box, self.type_box):
            needed += part.sizeHint().width()
        if needed <= self.width():
            self._bar.addWidget(self._moment_row, 0, 1)
        else:
            self._bar.addWidget(self._moment_row, 1, 0, 1, 6)
        layout = self.layout()
        if layout is not None:
            layout.activate()  # else one frame would show them over each other

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows the layers of ``estimate``; asks for those of another moment when one is chosen."""
        self._estimate = estimate
        if estimate is None:
            self._layers = ()
            self.tree.set_table(None)
            return
        training = trains(estimate.plan)
        for moment in OF_TRAINING:
            self.moments.set_available(moment, training)
        if not training and self._moment in OF_TRAINING:
            self._moment = "peak"
            self.moments.choose("peak")
        if self._moment == "peak":
            self.set_layers("peak", estimate.layers)
        else:
            self.moment_requested.emit(self._moment)

    def set_layers(self, moment: Moment, layers: Sequence[Layer]) -> None:
        """Shows ``layers`` as they are at ``moment``; ignored when another one is chosen by now."""
        if moment != self._moment:
            return
        self._layers = tuple(layers)
        self._rebuild()

    def select(self, name: str | None) -> None:
        """Selects and shows the module ``name``, or nothing; a block leaves its group for that.

        A row of its own that belongs to the module, such as its group, stays selected.
        """
        if name is None:
            self.tree.deselect()
            return
        if self.tree.current_name == name:
            return
        table = self.tree.layer_model.table
        if table is not None and table.group_of(name) is not None:
            self._single_out = name
            self._rebuild()
        self.tree.select(name)

    def show_peak(self) -> None:
        """Selects the module the peak is in."""
        if self._estimate is not None:
            self.select(self._estimate.peak.module)

    def focus_filter(self) -> None:
        """Puts the cursor into the filter field."""
        self.filter_field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter_field.selectAll()

    def _rebuild(self) -> None:
        estimate = self._estimate
        if estimate is None:
            return
        around = around_rows(estimate) if self._moment == "peak" else ()
        before = self.tree.layer_model.table
        kind = TypeTable if self.type_box.isChecked() else LayerTable
        with without_collection():  # which small things by the hundred thousand would set off
            table = kind(
                self._layers,
                estimate.model.name or estimate.model.class_name,
                around,
                group=self.group_box.isChecked(),
                single_out=self._single_out,
                known=None if before is None else before.row_names,
                root_work=root_work(round_of(estimate.plan)),
            )
        self.tree.layer_model.set_absent(absent_parts(estimate))
        self.tree.set_table(table)
        apart = self._moment == "own_maximum"
        self._say(translate("Views", "each row at its own moment") if apart else "")

    def _group_by_type(self, by_type: bool) -> None:
        self.group_box.setEnabled(not by_type)
        self._rebuild()

    def _moment_chosen(self, value: str) -> None:
        moment = next(moment for moment in get_args(Moment) if moment == value)
        if moment == self._moment:
            return
        self._moment = moment
        if moment == "peak" and self._estimate is not None:
            self.set_layers("peak", self._estimate.layers)
        else:
            self.moment_requested.emit(moment)

    def _filter(self, query: Query) -> None:
        found = self.tree.set_filter(query)
        if query and not found:
            self._say(translate("Views", "no module found"))
        else:
            self._say(translate("Views", "{found} found").format(found=found) if query else "")

    def _say(self, words: str) -> None:
        self._said.setText(words)
        self._said.setVisible(bool(words))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.filter_field.text():
            self.filter_field.clear()
            event.accept()
            return
        super().keyPressEvent(event)
