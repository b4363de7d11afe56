"""The live plot: predicted, allocated, reserved and device curves under the card's line."""

from __future__ import annotations

from math import ceil

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views import ticks
from memplanner_ui.views.budget_words import capacity_words
from memplanner_ui.views.live_area import CurveArea
from memplanner_ui.views.live_data import Floats, LiveData, decimate, flat_left_out
from memplanner_ui.views.live_ranks import RankData, RankLines
from memplanner_ui.views.live_words import DASHES, RANK, Legend, SideLabels, legend_lines
from memplanner_ui.views.parts import phase_title
from memplanner_ui.views.plain_curve import PlainCurve
from memplanner_ui.views.uses import one

_NAMED_RANKS = 7
"""Beside the first; more have their words at the ends of the lines alone."""


class LivePlot(QWidget):
    """Plots one ``LiveData``; ``refresh`` draws what is new. Nothing is tweened."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data: LiveData | None = None
        self._rank = 0
        self._capacity: float | None = None
        self._on_cpu = False
        self._shown = {"allocated": True, "reserved": True, "device": True}
        self._range = (0.0, 1.0)
        self._drawn_prediction: Floats | None = None
        """The x of the predicted curve as it is drawn."""
        self._bottom, self._top = 0.0, 1.0
        self._ticks: dict[pg.AxisItem, list[tuple[float, str]]] = {}
        # Not a PlotItem: that makes menus and buttons of its own, which nothing here uses.
        self._plot = pg.GraphicsLayoutWidget()
        self._box = pg.ViewBox(enableMenu=False)
        self._x_axis = pg.AxisItem("bottom")
        self._y_axis = pg.AxisItem("left")
        self._labels = SideLabels(self, self.y_of)
        self._legend = Legend()
        self._set_up()
        self._restyle()
        theme.current().changed.connect(self._restyle)

    def _set_up(self) -> None:
        plot = self._plot
        plot.setFrameShape(plot.Shape.NoFrame)
        plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plot.ci.layout.setContentsMargins(0, 6, 0, 0)
        plot.ci.layout.setSpacing(0)
        item = self._box
        item.setMouseEnabled(x=False, y=False)
        item.setDefaultPadding(0)
        item.sigResized.connect(lambda: self.refresh())  # its layout comes after this widget's
        for axis, row, column in ((self._y_axis, 0, 0), (self._x_axis, 1, 1)):
            axis.setStyle(tickLength=-4 if axis is self._x_axis else 0, autoExpandTextSpace=False)
            axis.linkToView(item)
            plot.ci.addItem(axis, row=row, col=column)
        plot.ci.addItem(item, row=0, col=1)
        self._y_axis.setWidth(50)
        self._x_axis.setHeight(20)
        self._grid = [pg.InfiniteLine(angle=0) for _ in range(12)]
        self._marks = [pg.InfiniteLine(angle=90) for _ in range(40)]
        for line in (*self._grid, *self._marks):
            line.setVisible(False)
            item.addItem(line, ignoreBounds=True)
        self._predicted = PlainCurve(antialias=False)
        self._area = CurveArea()
        self._allocated = PlainCurve(antialias=False)
        self._reserved = PlainCurve(antialias=False)
        self._device = PlainCurve(antialias=False)
        curves = (self._predicted, self._area, self._allocated, self._reserved, self._device)
        for curve in curves:
            item.addItem(curve, ignoreBounds=True)
        self._others = RankLines(item)
        self._limit = pg.InfiniteLine(angle=0)
        self._now = pg.InfiniteLine(angle=90)
        self._dot = pg.ScatterPlotItem(size=7, pxMode=True)
        for thing in (self._limit, self._now, self._dot):
            thing.setVisible(False)
            item.addItem(thing, ignoreBounds=True)
        across = QHBoxLayout()
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addWidget(plot, 1)
        across.addWidget(self._labels)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(0)
        layout.addWidget(self._legend)
        layout.addLayout(across, 1)
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # as axes run in every language
        self._plot.ci.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.setAccessibleName(translate("Views", "Live memory"))
        self.setAccessibleDescription(translate("Views", "No run yet"))

    def _restyle(self) -> None:
        colors = theme.current()
        self._plot.setBackground(colors.color("base"))
        accent, ink = colors.color("accent"), colors.color("text2")
        area = QColor(accent)
        area.setAlphaF(0.16)
        self._predicted.setPen(pg.mkPen(ink, width=1))
        self._allocated.setPen(pg.mkPen(accent, width=1))
        self._area.set_color(area)
        self._reserved.setPen(pg.mkPen(accent, width=1, style=DASHES["reserved"]))
        self._device.setPen(pg.mkPen(accent, width=1, style=DASHES["device"]))
        self._others.restyle()
        self._limit.setPen(pg.mkPen(colors.color("trouble"), width=2))
        self._now.setPen(pg.mkPen(ink, width=1))
        self._dot.setBrush(pg.mkBrush(accent))
        self._dot.setPen(pg.mkPen(colors.color("base"), width=1))
        for line in self._grid:
            line.setPen(pg.mkPen(colors.color("hairline"), width=1))
        for line in self._marks:
            line.setPen(pg.mkPen(colors.color("border"), width=1, style=Qt.PenStyle.DotLine))
        for axis in (self._x_axis, self._y_axis):
            axis.setTickFont(fonts.font("axis"))
            axis.setTextPen(colors.color("text2"))
        self._x_axis.setPen(pg.mkPen(colors.color("border")))
        self._y_axis.setPen(pg.mkPen(None))
        self._labels.update()
        self._legend.update()

    # What is shown

    def begin(
        self,
        data: LiveData | None,
        capacity_bytes: int | None,
        on_cpu: bool,
        rank: int = 0,
        others: tuple[RankData, ...] = (),
    ) -> None:
        """Plots ``data`` from now on, against ``capacity_bytes``.

        Over several cards it is that of ``rank``, and the ``others`` are drawn beside it.
        """
        self._data, self._rank = data, rank
        self._others.begin(others)
        self._capacity = None if capacity_bytes is None else float(capacity_bytes)
        self._on_cpu = on_cpu
        self._name_lines()
        for curve in (self._predicted, self._allocated, self._reserved, self._device):
            curve.setData([], [])
        self._drawn_prediction = None
        self._area.set_data(np.empty(0), np.empty(0))
        self._dot.setVisible(False)
        self._now.setVisible(False)
        self._labels.set_labels([])
        if data is None:
            self._limit.setVisible(False)
            self.setAccessibleDescription(translate("Views", "No run yet"))

    def set_line(self, name: str, shown: bool) -> None:
        """Shows or hides the ``allocated``, ``reserved`` or ``device`` line."""
        self._shown[name] = shown
        self._name_lines()
        self.refresh()

    def _name_lines(self) -> None:
        others = self._others.ranks
        lines = legend_lines(self._on_cpu, self._shown)
        if others:
            lines = [(kind, self._titled(kind, title)) for kind, title in lines]
            at = 1 + self._shown["allocated"]
            if self._shown["allocated"]:
                lines[at:at] = [
                    (f"{RANK}{place}", translate("Views", "Rank {rank}").format(rank=each.rank))
                    for place, each in enumerate(others[:_NAMED_RANKS])
                ]
        self._legend.set_lines(lines)

    def _titled(self, kind: str, title: str) -> str:
        """A line's name where there are other ranks: all but the prediction is one rank's."""
        if kind == "predicted":
            return title
        rank = translate("Views", "rank {rank}").format(rank=self._rank)
        return rank.capitalize() if kind == "allocated" else f"{title}, {rank}"

    def set_range(self, left: float, right: float) -> None:
        """Shows the steps from ``left`` to ``right``."""
        self._range = (left, max(right, left + 1e-3))

    def refresh(self) -> None:
        """Draws the samples taken so far."""
        data = self._data
        if data is None:
            return
        left, right = self._range
        pixels = max(1, int(self._box.width()))
        px, py = data.predicted_between(left, right, pixels)
        ax, ay = decimate(data.x, data.allocated, data.highest, left, right, pixels)
        rx, ry = decimate(data.x, data.reserved, data.reserved, left, right, pixels)
        dx, dy = decimate(data.x, data.device, data.device, left, right, pixels)
        shown = {"allocated": ay, "reserved": ry, "device": dy}
        shown = {name: values for name, values in shown.items() if self._shown[name]}
        others = self._others.refresh(left, right, pixels, shown=self._shown["allocated"])
        self._fit_y([py, *shown.values(), *others])
        if px is not self._drawn_prediction:
            self._drawn_prediction = px
            self._predicted.setData(px, py)
        empty = np.empty(0)
        self._area.set_data(*((ax, ay) if self._shown["allocated"] else (empty, empty)))
        for curve, name, x, y in (
            (self._allocated, "allocated", ax, ay),
            (self._reserved, "reserved", rx, ry),
            (self._device, "device", dx, dy),
        ):
            curve.setData(*(flat_left_out(x, y) if self._shown[name] else (empty, empty)))
        self._place_now(data, left, right)
        self._box.setXRange(left, right, padding=0)
        self._box.setYRange(self._bottom, self._top, padding=0)
        self._tick_x(data, left, right)
        self._tick_y()
        self._say(data)

    def _fit_y(self, curves: list[np.ndarray]) -> None:
        values = np.concatenate([curve for curve in curves if len(curve)] or [np.zeros(1)])
        lowest, highest = float(values.min()), float(values.max())
        top = highest + 0.08 * max(highest - lowest, 0.05 * highest, 1.0)
        if self._capacity is not None and highest > 0.6 * self._capacity:
            top = max(top, self._capacity + 0.06 * (self._capacity - lowest))
        bottom = lowest - 0.12 * (top - lowest)
        self._bottom = bottom if bottom > 0.3 * top else 0.0
        self._top = top

    def _place_now(self, data: LiveData, left: float, right: float) -> None:
        now = data.now()
        visible = data.count > 0 and left <= now <= right
        self._now.setVisible(visible)
        self._dot.setVisible(visible and self._shown["allocated"])
        if visible:
            self._now.setValue(now)
            self._dot.setData([now], [float(data.allocated[-1])])
        inside = self._capacity is not None and self._capacity <= self._top
        self._limit.setVisible(inside)
        if inside and self._capacity is not None:
            self._limit.setValue(self._capacity)

    def _tick_x(self, data: LiveData, left: float, right: float) -> None:
        """Steps; within one step micro-batches, or phases when there is one micro-batch."""
        axis = self._x_axis
        marks: list[float] = []
        if right - left <= 1.001:
            base = int(np.floor(left + 1e-9))
            stretches = data.prediction.stretches
            count = data.prediction.micro_batches
            labels: list[tuple[float, str]] = []
            if count > 1:
                every = ceil(count / 16)
                for micro_batch in range(count):
                    own = [
                        s
                        for s in stretches
                        if s.micro_batch == micro_batch and s.phase in ("forward", "backward")
                    ]
                    if own:
                        marks.append(base + own[-1].right)
                        middle = base + (own[0].left + own[-1].right) / 2
                        if micro_batch % every == 0:
                            labels.append((middle, str(micro_batch + 1)))
            else:
                for stretch in stretches:
                    marks.append(base + stretch.right)
                    if stretch.right - stretch.left > 0.06:
                        middle = base + (stretch.left + stretch.right) / 2
                        labels.append((middle, phase_title(stretch.phase)))
            self._set_ticks(axis, labels)
        else:
            width = max(1.0, self._box.width())
            step = max(1, ceil(ticks.step_of(right - left, max(2, int(width / 60)))))
            first = ceil(left / step) * step
            steps = np.arange(first, right + 1e-9, step)
            self._set_ticks(axis, [(float(n), str(int(n))) for n in steps if n >= 1])
            if right - left <= len(self._marks):
                marks = [float(n) for n in np.arange(ceil(left), right)]
        for line, place in zip(self._marks, [*marks, *[None] * len(self._marks)], strict=False):
            line.setVisible(place is not None)
            if place is not None:
                line.setValue(place)

    def _set_ticks(self, axis: pg.AxisItem, labels: list[tuple[float, str]]) -> None:
        """Only others: the axis would be laid out anew."""
        if self._ticks.get(axis) != labels:
            self._ticks[axis] = labels
            axis.setTicks([labels])

    def _tick_y(self) -> None:
        unit, _ = ticks.unit_of(self._top)
        height = max(1.0, self._box.height())
        marks = ticks.sizes(self._top, max(2, int(height / 32)), self._bottom, unit)
        self._set_ticks(self._y_axis, marks)
        places = [value for value, _ in marks]
        for line, place in zip(self._grid, [*places, *[None] * 12], strict=False):
            line.setVisible(place is not None)
            if place is not None:
                line.setValue(place)

    def _say(self, data: LiveData) -> None:
        labels: list[tuple[float, str, str]] = []
        if self._capacity is not None:
            text = capacity_words(self._capacity, on_cpu=self._on_cpu)
            labels.append((min(self._capacity, self._top), text, "text"))
        words = []
        if data.count:
            allocated = translate("Views", "allocated {size}")
            if self._others.ranks:
                allocated = self._of_rank(self._rank)
            device = translate("Views", "device {size}")
            if self._on_cpu:
                device = translate("Views", "process {size}")
            values = {
                "device": (device, data.device),
                "reserved": (translate("Views", "reserved {size}"), data.reserved),
                "allocated": (allocated, data.allocated),
            }
            for name, (words_, array) in values.items():
                value = float(array[-1])
                if self._shown[name] and not np.isnan(value):
                    text = words_.format(size=format_bytes(round(value)))
                    labels.append((value, text, "accent"))
                    words.append(text)
        for each in self._others.ranks if self._shown["allocated"] else ():
            if each.data.count:
                value = float(each.data.allocated[-1])
                text = self._of_rank(each.rank).format(size=format_bytes(round(value)))
                labels.append((value, text, "accent"))
                words.append(text)
        self._labels.set_labels(labels)
        self._legend.set_unit(ticks.unit_of(self._top)[1])
        step = translate("Views", "{word} {step} of {steps}").format(
            word=one(data.word).capitalize(), step=data.step, steps=data.steps
        )
        self.setAccessibleDescription(", ".join([step, *words]))

    @staticmethod
    def _of_rank(rank: int) -> str:
        return translate("Views", "rank {rank} {size}").replace("{rank}", str(rank))

    def y_of(self, value: float) -> float:
        """The y in this widget's label column of ``value`` bytes."""
        box = self._box
        scene = box.mapViewToScene(QPointF(0.0, value))
        return float(self._plot.mapFromScene(scene).y())
