"""The mesh editor: cards, and the degrees they are split into, as linked fields.

Each field offers only what divides; data parallelism gets what the others leave.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from memplanner.plan import Plan
from memplanner.plan.factoring import Degree, allowed
from memplanner.plan.sharding import Sharding
from memplanner.units import format_count
from memplanner_ui.language import plural, translatable, translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.mesh_editor_field import FactorField
from memplanner_ui.views.rows import ShrinkingLabel, label

_BOX_WIDTH = 104
_GAP = 8
_DATA_WORDS = {
    "replicated": translatable("Window", "replicated"),
    "zero_1": "ZeRO-1",
    "zero_2": "ZeRO-2",
    "zero_3": "ZeRO-3",
}
_SCHEDULE_WORDS = {
    "1f1b": translatable("Window", "stages, 1F1B"),
    "gpipe": translatable("Window", "stages, GPipe"),
    "interleaved_1f1b": translatable("Window", "interleaved"),
    "zero_bubble": translatable("Window", "zero bubble"),
}


class _Box(QFrame):
    """A title, a number and a word; framed in accent where the number splits something."""

    def __init__(self, title: str, number: QWidget) -> None:
        super().__init__()
        self._splits = False
        self._word = label("", "axis", "secondary")
        self.number = number
        column = QVBoxLayout(self)
        column.setContentsMargins(9, 6, 9, 6)
        column.setSpacing(3)
        heading = label(title, "secondary", "secondary")
        heading.setBuddy(number)
        for widget in (heading, number, self._word):
            column.addWidget(widget)
        self.setFixedWidth(fonts.scaled(_BOX_WIDTH))
        theme.current().changed.connect(self.update)

    def show_state(self, word: str, *, splits: bool) -> None:
        """Shows the word below the number, and whether something is split here."""
        if (word, splits) != (self._word.text(), self._splits):
            self._word.setText(word)
            self._splits = splits
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.color("accent" if self._splits else "border"), 1))
        painter.setBrush(colors.color("selection" if self._splits else "panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.end()


class MeshEditor(QWidget):
    """Shows a plan's cards and degrees; tells what the user wants changed."""

    chosen = Signal(str, int)
    """The degree, a field of the section, and its new value."""
    gesture_ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Window", "Mesh of cards"))
        self._mesh_size = ShrinkingLabel()
        self._batch = ShrinkingLabel()
        self._data = label("1", "heading")
        self._data.setMinimumHeight(fonts.scaled(26))
        self._data.setAccessibleName(translate("Window", "Data parallel"))
        self._data.setToolTip(
            translate("Window", "What the other degrees leave: cards that see other samples")
        )
        titles: dict[Degree, str] = {
            "pipeline": translate("Window", "Pipeline"),
            "tensor": translate("Window", "Tensor"),
            "context": translate("Window", "Context"),
            "replicas": translate("Window", "Replicas"),
            "expert": translate("Window", "Expert"),
        }
        self.fields: dict[Degree, FactorField] = {}
        self._boxes: dict[str, _Box] = {"data": _Box(translate("Window", "Data"), self._data)}
        for name, title in titles.items():
            field = self._field(name, title)
            self._boxes[name] = _Box(title, field)
        above = QHBoxLayout()
        above.setSpacing(6)
        cards: dict[Degree, str] = {
            "nodes": translate("Window", "Nodes"),
            "cards_per_node": translate("Window", "Cards a node"),
        }
        for name, title in cards.items():
            field = self._field(name, title)
            field.setFixedWidth(fonts.scaled(84))
            before = label(title, "body", "secondary")
            before.setBuddy(field)
            above.addWidget(before)
            above.addWidget(field)
        above.addWidget(self._mesh_size)
        above.addStretch(1)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(_GAP)
        self._grid.setVerticalSpacing(_GAP)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self._columns = 0
        self._has_replicas = True
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(8)
        column.addLayout(above)
        column.addLayout(self._grid)
        column.addWidget(self._batch)
        self._place(3)

    def _field(self, name: Degree, title: str) -> FactorField:
        field = self.fields[name] = FactorField(title)
        field.chosen.connect(lambda value: self.chosen.emit(name, value))
        field.finished.connect(self.gesture_ended)
        return field

    @property
    def global_batch(self) -> str:
        """The line about the global batch."""
        return self._batch.whole

    def show_plan(self, plan: Plan, *, takes_sequence: bool = True) -> None:
        """Shows the plan's section, and the batch that all cards make together."""
        section = plan.sharding
        for name, field in self.fields.items():
            field.offer(allowed(section, name), getattr(section, name))
        self._data.setText(format_count(section.data_degree))
        for box, word in _words(section).items():
            degree = section.data_degree if box == "data" else getattr(section, box)
            self._boxes[box].show_state(word, splits=degree > 1)
        has_replicas = section.replicas > 1 or section.takes_effect("replicas")
        if has_replicas != self._has_replicas:
            self._has_replicas = has_replicas
            self._place(self._columns, again=True)
        self._mesh_size.set_text(mesh_words(section))
        self._batch.set_text(batch_words(plan, takes_sequence=takes_sequence))

    def minimumSizeHint(self) -> QSize:
        """One box wide: more of them go into further rows, whatever their row is now."""
        return QSize(fonts.scaled(_BOX_WIDTH) + 28, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room = self.width() - 28 + _GAP
        self._place(max(1, room // (fonts.scaled(_BOX_WIDTH) + _GAP)))

    def _place(self, columns: int, *, again: bool = False) -> None:
        """Puts the boxes into so many columns."""
        if columns == self._columns and not again:
            return
        self._columns = columns
        for box in self._boxes.values():
            self._grid.removeWidget(box)
        shown = [name for name in _ORDER if name != "replicas" or self._has_replicas]
        for place, name in enumerate(shown):
            self._grid.addWidget(self._boxes[name], place // columns, place % columns)
        self._boxes["replicas"].setVisible(self._has_replicas)


_ORDER = ("pipeline", "data", "tensor", "context", "replicas", "expert")


def _words(section: Sharding) -> dict[str, str]:
    """The word below each degree."""
    off = translate("Window", "off")
    tensor = (
        translate("Window", "and sequence")
        if section.sequence_parallel
        else translate("Window", "of matrices")
    )
    if section.tensor == 1:
        tensor = off
    return {
        "pipeline": (
            translate("Window", _SCHEDULE_WORDS[section.schedule]) if section.pipeline > 1 else off
        ),
        "data": translate("Window", _DATA_WORDS[section.data]) if section.data_degree > 1 else off,
        "tensor": tensor,
        "context": translate("Window", "of sequences") if section.context > 1 else off,
        "replicas": translate("Window", "of {count} shards").format(count=section.shard_degree)
        if section.replicas > 1
        else off,
        "expert": translate("Window", "of data") if section.expert > 1 else off,
    }


def mesh_words(section: Sharding) -> str:
    """The product, such as ``= 16 cards = pipeline 4 × data 4``."""
    cards = plural("Window", "{ranks} cards", "{ranks} card", section.ranks).format(
        ranks=format_count(section.ranks)
    )
    degrees = (
        (translate("Window", "pipeline"), section.pipeline),
        (translate("Window", "data"), section.data_degree),
        (translate("Window", "tensor"), section.tensor),
        (translate("Window", "context"), section.context),
    )
    parts = [f"{name} {format_count(degree)}" for name, degree in degrees if degree > 1]
    return f"= {cards}" + (f" = {' × '.join(parts)}" if parts else "")


def batch_words(plan: Plan, *, takes_sequence: bool) -> str:
    """The global batch as a product, such as ``Global batch 64 = micro-batch 2 × …``."""
    training, data = plan.training, plan.sharding.data_degree
    accumulation = training.gradient_accumulation_steps
    samples = training.batch_size * accumulation * data
    words = translate(
        "Window",
        "Global batch {samples} = micro-batch {batch_size} × accumulation "
        "{accumulation} × data {data}",
    ).format(
        samples=format_count(samples),
        batch_size=format_count(training.batch_size),
        accumulation=format_count(accumulation),
        data=format_count(data),
    )
    if takes_sequence:
        words += translate("Window", "; {samples} tokens a step").format(
            samples=format_count(samples * training.sequence_length)
        )
    return words
