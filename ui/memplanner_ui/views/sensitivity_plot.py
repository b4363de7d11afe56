"""The sensitivity of layers as lines: one for each number of bits, over the model's layers."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, log10
from typing import Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from memplanner.messages.sensitivity import BitsChoice, LayerSensitivity, Sensitivity
from memplanner_ui.language import translate
from memplanner_ui.layer_edits import WHOLE, bits_words
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.plain_curve import PlainCurve

Measure = Literal["output_error", "loss_rise"]
_STYLES: Mapping[str, tuple[Qt.PenStyle, str]] = {
    "8": (Qt.PenStyle.SolidLine, "text3"),
    "4": (Qt.PenStyle.SolidLine, "text"),
    "3": (Qt.PenStyle.DashLine, "text"),
    "2": (Qt.PenStyle.DotLine, "text"),
    "nf4": (Qt.PenStyle.DashDotLine, "text2"),
}
_OTHER = (Qt.PenStyle.DashDotDotLine, "text3")
_LEAST = 1e-9
"""What is drawn for an error of nothing, on an axis of powers of ten."""


def value_of(choice: BitsChoice, measure: Measure) -> float | None:
    """The number of a choice that is drawn; None where it was not measured."""
    return choice.output_error if measure == "output_error" else choice.loss_rise


def words_of(value: float | None, measure: Measure) -> str:
    """An error in per cent, or a rise of the loss, in three figures."""
    if value is None:
        return translate("Views", "not measured")
    return f"{value * 100:.3g} %" if measure == "output_error" else f"{value:.3g}"


class SensitivityPlot(QWidget):
    """Lines by bits, and a dot at what each layer is kept in. Arrow keys go through layers."""

    pointed = Signal(object)
    """The ``LayerSensitivity`` that the pointer or the keys are at, or None."""
    layer_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: tuple[LayerSensitivity, ...] = ()
        self._kept: Mapping[str, str] = {}
        self._measure: Measure = "output_error"
        self._at = -1
        self._graphics = pg.GraphicsLayoutWidget()
        self._box = pg.ViewBox(enableMenu=False)
        self._x_axis, self._y_axis = pg.AxisItem("bottom"), pg.AxisItem("left")
        self._lines: dict[str, PlainCurve] = {}
        self._names = pg.AxisItem("right")
        self._dots = pg.ScatterPlotItem(size=6, pxMode=True)
        self._cursor = pg.InfiniteLine(angle=90)
        self._set_up()
        theme.current().changed.connect(self._restyle)

    def _set_up(self) -> None:
        graphics, box = self._graphics, self._box
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # as axes run in every language
        graphics.ci.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        graphics.setFrameShape(graphics.Shape.NoFrame)
        graphics.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        graphics.viewport().setMouseTracking(True)
        graphics.viewport().installEventFilter(self)
        graphics.ci.layout.setContentsMargins(0, 8, 0, 0)
        graphics.ci.layout.setSpacing(0)
        box.setMouseEnabled(x=False, y=False)
        box.setDefaultPadding(0)
        places = ((self._y_axis, 0, 0), (self._x_axis, 1, 1), (self._names, 0, 2))
        for axis, row, column in places:
            axis.setStyle(tickLength=0, autoExpandTextSpace=False)
            axis.linkToView(box)
            graphics.ci.addItem(axis, row=row, col=column)
        graphics.ci.addItem(box, row=0, col=1)
        self._y_axis.setWidth(58)
        self._x_axis.setHeight(20)
        self._names.setWidth(54)
        for item in (self._cursor, self._dots):
            box.addItem(item, ignoreBounds=True)
        self._cursor.hide()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(translate("Views", "Sensitivity of layers"))
        self.setMinimumHeight(fonts.scaled(160))
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, 0, 0, 0)
        column_.addWidget(graphics)
        self._restyle()

    def show_sensitivity(self, sensitivity: Sensitivity | None, measure: Measure) -> None:
        """Shows what was measured."""
        self._layers = () if sensitivity is None else sensitivity.layers
        self._measure, self._at = measure, -1
        self._draw()

    def show_kept(self, kept: Mapping[str, str]) -> None:
        """By layer, what the plan keeps it in: the dots."""
        self._kept = kept
        self._draw_dots()

    # Drawing

    def _points(self, value: str) -> tuple[list[int], list[float]]:
        places, heights = [], []
        for place, layer in enumerate(self._layers):
            choice = next((one for one in layer.choices if one.value == value), None)
            number = None if choice is None else value_of(choice, self._measure)
            if number is not None:
                places.append(place)
                heights.append(log10(max(number, _LEAST)))
        return places, heights

    def _draw(self) -> None:
        for item in self._lines.values():
            self._box.removeItem(item)
        self._lines.clear()
        ends: list[tuple[float, str]] = []
        values = dict.fromkeys(
            choice.value for layer in self._layers for choice in layer.choices
            if choice.value != WHOLE
        )  # fmt: skip
        low, high = 0.0, -8.0
        for value in values:
            places, heights = self._points(value)
            if not places:
                continue
            line = self._lines[value] = PlainCurve(
                np.array(places), np.array(heights), antialias=False
            )
            ends.append((heights[-1], bits_words(value)))
            self._box.addItem(line, ignoreBounds=True)
            known = [height for height in heights if height > log10(_LEAST)]
            low, high = min([low, *known]), max([high, *known])
        high = max(high, low + 1)
        last = max(len(self._layers) - 1, 1)
        self._box.setRange(xRange=(-0.5, last + 0.5), yRange=(low - 0.1, high + 0.1), padding=0)
        powers = range(floor(low), ceil(high) + 1)
        self._y_axis.setTicks([[(power, _power_words(power, self._measure)) for power in powers]])
        self._names.setTicks([_apart(ends, (high - low) / 20)])
        between = max(1, last // 8)
        self._x_axis.setTicks([[(place, str(place + 1)) for place in range(0, last + 1, between)]])
        self._cursor.hide()
        self._describe()
        self._draw_dots()
        self._restyle()

    def _draw_dots(self) -> None:
        spots = []
        for place, layer in enumerate(self._layers):
            kept = self._kept.get(layer.name)
            choice = next((one for one in layer.choices if one.value == kept), None)
            number = None if choice is None else value_of(choice, self._measure)
            if number is not None and kept != WHOLE:
                spots.append((place, log10(max(number, _LEAST))))
        self._dots.setData(pos=np.array(spots) if spots else np.empty((0, 2)))

    def _restyle(self) -> None:
        colors = theme.current()
        self._graphics.setBackground(colors.color("base"))
        for value, line in self._lines.items():
            style, ink = _STYLES.get(value, _OTHER)
            line.setPen(pg.mkPen(colors.color(ink), width=1, style=style))
        self._dots.setBrush(pg.mkBrush(colors.color("accent")))
        self._dots.setPen(pg.mkPen(colors.color("base"), width=1))
        self._cursor.setPen(pg.mkPen(colors.color("border"), width=1))
        for axis in (self._x_axis, self._y_axis, self._names):
            axis.setTickFont(fonts.font("axis"))
            axis.setTextPen(colors.color("text2"))
        self._x_axis.setPen(pg.mkPen(colors.color("border")))
        self._y_axis.setPen(pg.mkPen(colors.color("border")))
        self._names.setPen(pg.mkPen(None))

    # Pointing

    @property
    def at(self) -> LayerSensitivity | None:
        """The layer that is pointed at."""
        return self._layers[self._at] if 0 <= self._at < len(self._layers) else None

    def go_to(self, place: int) -> None:
        """Points at a layer by its place; -1 at none."""
        self._at = min(max(place, -1), len(self._layers) - 1)
        self._cursor.setVisible(self._at >= 0)
        self._cursor.setPos(self._at)
        self._describe()
        self.pointed.emit(self.at)

    def _describe(self) -> None:
        layer = self.at
        if layer is not None:
            self.setAccessibleDescription(readout(layer, self._measure, self._kept))
        else:
            self.setAccessibleDescription(
                translate("Views", "{count} layers").format(count=len(self._layers))
                if self._layers
                else ""
            )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.go_to(-1)
        elif isinstance(event, QMouseEvent) and self._layers:
            scene = self._graphics.mapToScene(event.position().toPoint())
            inside = self._box.sceneBoundingRect().contains(scene)
            at: QPointF = self._box.mapSceneToView(scene)
            self.go_to(round(at.x()) if inside else -1)
            if event.type() == QEvent.Type.MouseButtonPress and self.at is not None:
                self.layer_chosen.emit(self.at.name)
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        last = len(self._layers) - 1
        match event.key():
            case Qt.Key.Key_Right:
                self.go_to(min(self._at + step, last))
            case Qt.Key.Key_Left:
                self.go_to(max(self._at - step, 0))
            case Qt.Key.Key_Home:
                self.go_to(0)
            case Qt.Key.Key_End:
                self.go_to(last)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self.at is not None:
                self.layer_chosen.emit(self.at.name)
            case _:
                super().keyPressEvent(event)


def readout(layer: LayerSensitivity, measure: Measure, kept: Mapping[str, str]) -> str:
    """A layer in words: its name, what it loses at each choice, and what it is kept in."""
    parts = [
        f"{bits_words(choice.value)} {words_of(value_of(choice, measure), measure)}"
        for choice in layer.choices
        if choice.value != WHOLE
    ]
    now = kept.get(layer.name)
    said = translate("Views", "; kept in {now}").format(now=bits_words(now)) if now else ""
    return f"{layer.name}: {', '.join(parts)}{said}"


def _apart(ends: list[tuple[float, str]], least: float) -> list[tuple[float, str]]:
    """Names at the ends of their lines, moved up where two would cover each other."""
    placed: list[tuple[float, str]] = []
    for height, name in sorted(ends):
        placed.append((max(height, placed[-1][0] + least) if placed else height, name))
    return placed


def _power_words(power: int, measure: Measure) -> str:
    return f"{10.0**power * 100:g} %" if measure == "output_error" else f"{10.0**power:g}"
