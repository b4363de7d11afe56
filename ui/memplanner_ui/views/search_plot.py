"""Found plans as a scatter: time over memory, a symbol for each risk, the card as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QToolTip, QVBoxLayout, QWidget

from memplanner.messages.cost import RISKS, QualityRisk
from memplanner.messages.device import Device
from memplanner.messages.search import FoundPlan
from memplanner.units import GIB
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views import search_words as words
from memplanner_ui.views.plain_curve import PlainCurve
from memplanner_ui.views.search_data import FoundPlans, by_risk, key_of
from memplanner_ui.views.search_limit import CardLimit

SYMBOLS: Mapping[QualityRisk, str] = {
    "same_result": "o",
    "small_change": "d",
    "check_quality": "t1",
}
INKS: Mapping[QualityRisk, str] = {
    "same_result": "text",
    "small_change": "accent",
    "check_quality": "caution",
}
_SIZE = {"o": 8, "d": 10, "t1": 9}
_NEAR = 9.0
"""Pixels between the pointer and a plan that is meant."""
_DIMMED = 0.45
_LOG_FROM = 5.0
"""Times the quickest plan: where the slowest takes more, the axis is logarithmic."""
_NARROWEST = 0.2
"""The least that an axis shows, as a share of its largest value: else plans a few MiB apart
would look far from each other."""
_Place = tuple[float, float]
"""Memory in GiB, and the height."""


class SearchPlot(QWidget):
    """Plans over memory. Arrow keys go through them; Return takes the one they are at."""

    selected = Signal(object)
    """The ``FoundPlan`` that was chosen."""
    activated = Signal(object)
    """The same with Return, or a second click: the plan is to be used."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found = FoundPlans()
        self._shown: tuple[FoundPlan, ...] = ()
        self._places: list[_Place] = []
        self._of_time = True
        self.logarithmic = False
        """Whether the height is, as times are far apart."""
        self._selected: FoundPlan | None = None
        self._own_place: _Place | None = None
        self._graphics = pg.GraphicsLayoutWidget()
        self._box = pg.ViewBox(enableMenu=False)
        self._x_axis, self._y_axis = pg.AxisItem("bottom"), pg.AxisItem("left")
        self._clouds = {risk: pg.ScatterPlotItem(pxMode=True) for risk in RISKS}
        self._fronts = {risk: pg.ScatterPlotItem(pxMode=True) for risk in RISKS}
        self._lines = {risk: PlainCurve(antialias=False) for risk in RISKS}
        self._own = pg.ScatterPlotItem(symbol="+", size=13, pxMode=True)
        self._ring = pg.ScatterPlotItem(symbol="o", size=19, pxMode=True)
        self._own_words = pg.TextItem(translate("Views", words.THIS_PLAN))
        self._limit = CardLimit(self._box)
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
        graphics.ci.layout.setContentsMargins(0, 8, 14, 0)
        graphics.ci.layout.setSpacing(0)
        box.setMouseEnabled(x=False, y=False)
        box.setDefaultPadding(0)
        for axis, row, column in ((self._y_axis, 0, 0), (self._x_axis, 1, 1)):
            axis.setStyle(tickLength=0, autoExpandTextSpace=False)
            axis.linkToView(box)
            graphics.ci.addItem(axis, row=row, col=column)
        graphics.ci.addItem(box, row=0, col=1)
        items = [*self._clouds.values(), *self._lines.values(), *self._fronts.values(),
                 self._own, self._ring, self._own_words]  # fmt: skip
        for item in items:
            box.addItem(item, ignoreBounds=True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(
            translate("Views", "Plans by memory and time; the table below has the same")
        )
        self.setMinimumHeight(fonts.scaled(150))
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, 0, 0, 0)
        column_.addWidget(graphics)
        self._restyle()

    # What is shown

    @property
    def shown(self) -> tuple[FoundPlan, ...]:
        """The plans that have a place, from the smallest to the largest."""
        return self._shown

    def show_plans(
        self,
        found: FoundPlans,
        plans: Sequence[FoundPlan],
        *,
        card: Device | None,
        margin_bytes: int = 0,
    ) -> None:
        """Shows ``plans`` of ``found``; ``card`` is None where they are for several."""
        self._found = found
        self._limit.show(card, margin_bytes)
        self._of_time = found.axis().of_time
        own = () if found.unchanged is None else (found.unchanged,)
        heights = [height for height in found.heights((*own, *plans)) if height is not None]
        apart = bool(heights) and min(heights) > 0 and max(heights) > _LOG_FROM * min(heights)
        self.logarithmic = self._of_time and apart
        placed = [
            (found.whole_bytes(plan) / GIB, self._up(height), plan)
            for plan, height in zip(plans, found.heights(plans), strict=True)
            if height is not None
        ]
        placed.sort(key=lambda one: one[:2])
        self._shown = tuple(plan for _, _, plan in placed)
        self._places = [(x, y) for x, y, _ in placed]
        self._draw()

    def _up(self, height: float) -> float:
        """Where a height stands on the axis."""
        return log10(height) if self.logarithmic else height

    def select(self, found: FoundPlan | None) -> None:
        """Rings one plan, or none."""
        self._selected = found
        self._draw_ring()

    def set_dimmed(self, dimmed: bool) -> None:
        """Whether what is shown is of an earlier plan."""
        self._box.setOpacity(_DIMMED if dimmed else 1.0)

    def _draw(self) -> None:
        places = dict(zip(map(id, self._shown), self._places, strict=True))
        for risk, plans in by_risk(self._shown).items():
            # where only a part is known, a plan stands farther left than it will
            sure = [plan.best and self._found.is_whole(plan) for plan in plans]
            best = [places[id(plan)] for plan, known in zip(plans, sure, strict=True) if known]
            others = [
                places[id(plan)] for plan, known in zip(plans, sure, strict=True) if not known
            ]
            self._fronts[risk].setData(pos=_array(best))
            self._clouds[risk].setData(pos=_array(others))
            line = _array(_steps(best) if self._of_time else [])
            self._lines[risk].setData(line[:, 0], line[:, 1])
        self._draw_own()
        self._set_range()
        self._place_words()
        self._draw_ring()
        self._describe()

    def _draw_own(self) -> None:
        own = self._found.unchanged
        height = None if own is None else self._found.heights([own])[0]
        if own is None or height is None:
            self._own_place = None
        else:
            self._own_place = self._found.whole_bytes(own) / GIB, self._up(height)
        self._own.setData(pos=_array([] if self._own_place is None else [self._own_place]))
        self._own_words.setVisible(self._own_place is not None)

    def _set_range(self) -> None:
        xs, ys = [x for x, _ in self._places], [y for _, y in self._places]
        if self._own_place is not None:
            xs.append(self._own_place[0])
            ys.append(self._own_place[1])
        xs += self._limit.extent(max(xs, default=0.0))
        if not ys:
            xs, ys = [*xs, 0.0, 1.0], [0.0, 1.0]
        wide = max(max(xs) - min(xs), _NARROWEST * max(xs)) or 1.0
        high = max(max(ys) - min(ys), _NARROWEST * abs(max(ys))) or 1.0
        left, right = max(0.0, min(xs) - 0.05 * wide), max(xs) + 0.08 * wide
        low, top = min(ys) - 0.07 * high, max(ys) + 0.2 * high
        if not self.logarithmic:
            low = max(0.0, low)
        self._y_axis.setTicks([_powers(low, top)] if self.logarithmic else None)
        self._y_axis.setTickSpacing(*((None, None) if self._of_time else (1, 1)))
        self._box.setRange(xRange=(left, right), yRange=(low, top), padding=0)

    def _place_words(self) -> None:
        """The card's at the top; those of the plan as it is where they hide the fewest marks."""
        self._limit.place()
        if self._own_place is not None:
            corners = ((1, 1), (0, 1), (1, 0), (0, 0))  # left above the mark, if that is the same
            self._own_words.setAnchor(min(corners, key=self._hidden_by_words))
            self._own_words.setPos(*self._own_place)

    def _hidden_by_words(self, anchor: tuple[int, int]) -> tuple[bool, int]:
        """Whether words at this corner of the own mark leave the plot; the marks that they hide."""
        assert self._own_place is not None
        (left, right), (low, top) = self._box.viewRange()
        words_ = self._own_words.boundingRect()
        wide = words_.width() * (right - left) / max(self._box.width(), 1.0)
        high = words_.height() * (top - low) / max(self._box.height(), 1.0)
        start, bottom = self._own_place[0] - anchor[0] * wide, self._own_place[1]
        bottom -= 0 if anchor[1] else high
        leaves = start < left or start + wide > right or bottom < low or bottom + high > top
        x, y = _array(self._places).T if self._places else np.empty((2, 0))
        inside = (x > start) & (x < start + wide) & (y > bottom) & (y < bottom + high)
        return bool(leaves), int(inside.sum())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_words()

    def _draw_ring(self) -> None:
        place = self._place_of(self._selected)
        self._ring.setData(pos=_array([] if place is None else [place]))
        self._describe()

    def _place_of(self, found: FoundPlan | None) -> _Place | None:
        index = self._index_of(found)
        if index >= 0:
            return self._places[index]
        return self._own_place if found is self._found.unchanged else None

    def _index_of(self, found: FoundPlan | None) -> int:
        if found is None:
            return -1
        key = key_of(found)
        return next((at for at, one in enumerate(self._shown) if key_of(one) == key), -1)

    def _restyle(self) -> None:
        colors = theme.current()
        self._graphics.setBackground(colors.color("base"))
        for risk in RISKS:
            ink, symbol = colors.color(INKS[risk]), SYMBOLS[risk]
            faint = QColor(ink)
            faint.setAlpha(130)
            cloud, front = self._clouds[risk], self._fronts[risk]
            for item in (cloud, front):
                item.setSymbol(symbol)
                item.setSize(_SIZE[symbol])
            cloud.setPen(pg.mkPen(faint, width=1))
            cloud.setBrush(pg.mkBrush(None))
            front.setPen(pg.mkPen(colors.color("base"), width=1))
            front.setBrush(pg.mkBrush(ink))
            self._lines[risk].setPen(pg.mkPen(ink, width=1))
        self._own.setPen(pg.mkPen(None))
        self._own.setBrush(pg.mkBrush(colors.color("text")))
        self._ring.setPen(pg.mkPen(colors.color("accent"), width=2))
        self._ring.setBrush(pg.mkBrush(None))
        self._own_words.setFont(fonts.font("axis"))
        self._own_words.setColor(colors.color("text"))
        self._limit.restyle()
        for axis in (self._x_axis, self._y_axis):
            axis.setTickFont(fonts.font("axis"))
            axis.setTextPen(colors.color("text2"))
            axis.setPen(pg.mkPen(colors.color("border")))
        self._y_axis.setWidth(fonts.scaled(40))
        self._x_axis.setHeight(fonts.scaled(20))

    # Pointing

    def _describe(self) -> None:
        found = self._selected
        if found is None:
            self.setAccessibleDescription(
                translate("Views", "{count} plans").format(count=len(self._shown))
            )
        else:
            self.setAccessibleDescription(words.spoken(tip(self._found, found)))

    def _near(self, scene: QPointF) -> FoundPlan | None:
        """The plan that is meant by a point of the scene; None where there is none near."""
        if not self._places:
            return None
        size_x, size_y = self._box.viewPixelSize()
        at = self._box.mapSceneToView(scene)
        places = _array(self._places)
        away = np.hypot((places[:, 0] - at.x()) / size_x, (places[:, 1] - at.y()) / size_y)
        index = int(away.argmin())
        return self._shown[index] if away[index] <= _NEAR else None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QMouseEvent):
            scene = self._graphics.mapToScene(event.position().toPoint())
            near = self._near(scene)
            if event.type() == QEvent.Type.MouseMove:
                text = "" if near is None else tip(self._found, near)
                QToolTip.showText(event.globalPosition().toPoint(), text, self)
            elif near is not None and event.type() == QEvent.Type.MouseButtonPress:
                self.setFocus(Qt.FocusReason.MouseFocusReason)
                self.selected.emit(near)
            elif near is not None and event.type() == QEvent.Type.MouseButtonDblClick:
                self.activated.emit(near)
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        now, last = self._index_of(self._selected), len(self._shown) - 1
        step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        match event.key():
            case Qt.Key.Key_Right | Qt.Key.Key_Down:
                self._go_to(min(now + step, last))
            case Qt.Key.Key_Left | Qt.Key.Key_Up:
                self._go_to(max(now - step, 0))
            case Qt.Key.Key_Home:
                self._go_to(0)
            case Qt.Key.Key_End:
                self._go_to(last)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if now >= 0:
                self.activated.emit(self._shown[now])
            case _:
                super().keyPressEvent(event)

    def _go_to(self, place: int) -> None:
        if 0 <= place < len(self._shown):
            self.selected.emit(self._shown[place])


def tip(found: FoundPlans, plan: FoundPlan) -> str:
    """A plan in three lines: what it changes, its memory, its time and risk."""
    whole = found.whole_bytes(plan)
    peak = words.peak_words(whole, whole=found.is_whole(plan))
    lines = [words.said(plan), translate("Views", "{peak} at the peak").format(peak=peak)]
    if plan.spare_bytes is not None:
        lines[1] += translate("Views", ", {size} to spare").format(
            size=words.spare_words(plan, whole)
        )
    risk = words.risk_title(plan.quality.risk)
    lines.append(
        risk
        if plan.time is None
        else translate("Views", "{time} per step, {risk}").format(
            time=words.time_words(plan), risk=risk
        )
    )
    return "\n".join(lines)


def _steps(places: Sequence[_Place]) -> list[_Place]:
    """The line through a front: right at the same height, then down at the next one's memory."""
    line: list[_Place] = []
    for x, y in places:
        if line:
            line.append((x, line[-1][1]))
        line.append((x, y))
    return line


def _powers(low: float, top: float) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis at 1, 2 and 5 of each power of ten."""
    values = (step * 10.0**power for power in range(floor(low), ceil(top)) for step in (1, 2, 5))
    return [(log10(value), f"{value:g}") for value in values]


def _array(places: Sequence[_Place]) -> npt.NDArray[np.float64]:
    return np.array(places, dtype=np.float64).reshape(-1, 2)
