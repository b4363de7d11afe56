"""The panel that explains the selected module."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from memplanner.messages.estimate import ModuleDetail
from memplanner.units import MIB, format_bytes, format_parameters
from memplanner_ui.language import translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.operations import dtype_words, operation_words
from memplanner_ui.views.parts import IN_OVERHEAD, NAMED, exact
from memplanner_ui.views.rows import ElidedLabel, Panel, Part, ShrinkingLabel, label, number
from memplanner_ui.views.stacked_bar import StackedBar

_LEAST_NAME = 56
_MOST_ROWS = 24
"""Rows of a part; more are counted in a last line."""


class ModulePanel(Panel):
    """Name, bytes at the peak, shapes, and what the module keeps for backward, or in a cache."""

    choice_wanted = Signal(QPoint)
    """Choices for the selected layers are asked for, at a place on the screen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Module"), parent)
        self._detail: ModuleDetail | None = None
        self._show()

    @property
    def detail(self) -> ModuleDetail | None:
        """What is shown."""
        return self._detail

    def set_detail(self, detail: ModuleDetail | None) -> None:
        """Shows ``detail``, or that nothing is selected."""
        if detail is None and self._detail is None:
            return  # that is said
        self._detail = detail
        self._show()

    def _show(self) -> None:
        detail = self._detail
        self.clear_parts()
        if detail is None:
            part = Part()
            words = translate("Views", "Select a module to see its shapes and what it keeps.")
            part.add(label(words, "secondary", "faint", wrap=True))
            self.add_part(part)
            return
        head = _head(detail)
        head.add(self._choices())
        self.add_part(head)
        if detail.parameters or detail.input_shapes or detail.output_shapes:
            self.add_part(_shapes(detail))
        if detail.trains:
            self.add_part(_kept(detail))
        elif detail.layer.kv_cache_bytes:
            self.add_part(_cached(detail.layer.kv_cache_bytes))

    def _choices(self) -> QPushButton:
        button = QPushButton(translate("Views", "Choose for these layers…"))
        button.setToolTip(
            translate("Views", "Bits or pruning for the linear layers of the selected rows alone")
        )
        button.clicked.connect(
            lambda: self.choice_wanted.emit(button.mapToGlobal(QPoint(0, button.height())))
        )
        return button


def _head(detail: ModuleDetail) -> Part:
    part = Part()
    name = ElidedLabel(
        detail.name or translate("Views", "the whole model"), Qt.TextElideMode.ElideLeft
    )
    name.setFont(fonts.font("mono"))
    part.add(name)
    words = detail.type
    if detail.layer.parameters:
        words += translate("Views", ", {parameters} parameters").format(
            parameters=format_parameters(detail.layer.parameters)
        )
    if detail.alike > 1:
        words += translate("Views", ", one of {alike} alike").format(alike=detail.alike)
    part.add(label(words, "secondary", "secondary", wrap=True))
    bar = StackedBar(height=14)
    sizes = bar_bytes(detail)
    bar.set_values(sizes)
    part.add(bar)
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.addWidget(label(translate("Views", "Here at the peak"), "body", "secondary"))
    total = number(format_bytes(sum(sizes)), strong=True)
    total.setToolTip(exact(sum(sizes)))
    line.addWidget(total, 1)
    part.add(row)
    return part


def bar_bytes(detail: ModuleDetail) -> tuple[int, ...]:
    """The module's bytes at the peak by ``PARTS``."""
    named = [getattr(detail.layer, f"{name}_bytes") for name in NAMED]
    overhead = sum(getattr(detail.layer, f"{name}_bytes") for name in IN_OVERHEAD)
    return (*named, overhead, 0)


def _shapes(detail: ModuleDetail) -> Part:
    part = Part(translate("Views", "Shapes"))
    rows: list[tuple[QWidget, ...]] = []
    for parameter in detail.parameters[:_MOST_ROWS]:
        title = parameter.name.removesuffix(".weight") if "." in parameter.name else parameter.name
        tip = f"{parameter.name}, {dtype_words(parameter.dtype)}"
        tip += "" if parameter.trainable else translate("Views", ", frozen")
        rows.append(_row(title, shape_words(parameter.shape), parameter.size_bytes, tip, True))
    rows += [
        _row(translate("Views", "input"), shape_words(shape), None, "")
        for shape in detail.input_shapes
    ]
    rows += [
        _row(translate("Views", "output"), shape_words(shape), None, "")
        for shape in detail.output_shapes
    ]
    part.add_grid(rows)
    _count_rest(part, len(detail.parameters))
    return part


def _kept(detail: ModuleDetail) -> Part:
    part = Part(translate("Views", "Kept for backward"))
    total = sum(tensor.size_bytes for tensor in detail.kept)
    part.right.setText(format_bytes(total) if total else translate("Views", "nothing"))
    rows = [
        _row(
            operation_words(tensor.operation, tensor.dtype),
            shape_words(tensor.shape),
            tensor.size_bytes,
            f"{tensor.operation}, {dtype_words(tensor.dtype)}",
        )
        for tensor in detail.kept[:_MOST_ROWS]
    ]
    if rows:
        part.add_grid(rows)
    _count_rest(part, len(detail.kept))
    return part


def _cached(size_bytes: int) -> Part:
    part = Part(translate("Views", "Kept of earlier tokens"))
    part.right.setText(format_bytes(size_bytes))
    part.right.setToolTip(exact(size_bytes))
    return part


def _count_rest(part: Part, count: int) -> None:
    if count > _MOST_ROWS:
        part.add(
            label(
                translate("Views", "and {count} more").format(count=count - _MOST_ROWS),
                "secondary",
                "faint",
            )
        )


def _row(
    title: str, shape: str, size_bytes: int | None, tip: str, mono: bool = False
) -> tuple[QWidget, ...]:
    mode = Qt.TextElideMode.ElideLeft if mono else Qt.TextElideMode.ElideRight
    name = ElidedLabel(title, mode)
    name.setFont(fonts.font("mono" if mono else "body"))
    name.setMinimumWidth(_LEAST_NAME)
    dimensions = ShrinkingLabel(shape)
    dimensions.setFont(fonts.font("mono"))
    dimensions.setProperty("ink", "secondary")
    size = number("" if size_bytes is None else format_bytes(size_bytes))
    size.setMinimumWidth(58)
    if size_bytes is not None:
        size.setToolTip(exact(size_bytes))
    if tip:
        name.setToolTip(tip)
    if size_bytes is not None and size_bytes < MIB:
        size.setProperty("ink", "faint")
    return name, dimensions, size


def shape_words(shape: tuple[int, ...]) -> str:
    """A shape as it is written: ``14336 × 4096``; ``scalar`` for none.

    From four dimensions on it is written closely, so that a panel has room for it.
    """
    return (" × " if len(shape) < 4 else "×").join(map(str, shape)) or translate("Views", "scalar")
