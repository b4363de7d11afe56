"""The curves of a run's other ranks: one each, over its own prediction where that differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt

from memplanner.messages.run import RankRun, RunStarted
from memplanner_ui.look import theme
from memplanner_ui.views.live_data import Floats, LiveData, decimate
from memplanner_ui.views.plain_curve import PlainCurve

RANK_DASHES = (
    Qt.PenStyle.DashDotLine,
    Qt.PenStyle.DashDotDotLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
)
"""In turn: a line is told by its dash and by the words at its end."""


@dataclass(frozen=True, slots=True)
class RankData:
    """The samples of one rank."""

    rank: int
    data: LiveData
    own_prediction: bool
    """Whether it is another than the fullest rank's, which is plotted already."""


def fullest(ranks: tuple[RankRun, ...]) -> int:
    """The first rank that is predicted to take most; 0 on one card."""
    sizes = [rank.predicted.allocated_bytes for rank in ranks]
    return sizes.index(max(sizes)) if sizes else 0


def other_ranks(started: RunStarted) -> tuple[RankData, ...]:
    """Empty data for every rank but the fullest."""
    first = fullest(started.ranks)
    return tuple(
        RankData(
            rank.rank,
            LiveData(started.model_copy(update={"predicted": rank.predicted})),
            rank.predicted != started.predicted,
        )
        for rank in started.ranks
        if rank.rank != first
    )


class RankLines:
    """Draws other ranks into a view box."""

    def __init__(self, box: pg.ViewBox) -> None:
        self._box = box
        self._ranks: tuple[RankData, ...] = ()
        self._measured: list[PlainCurve] = []
        self._predicted: list[PlainCurve] = []

    @property
    def ranks(self) -> tuple[RankData, ...]:
        """What is drawn."""
        return self._ranks

    def begin(self, ranks: tuple[RankData, ...]) -> None:
        """Draws ``ranks`` from now on."""
        self._ranks = ranks
        while len(self._measured) < len(ranks):
            for curves in (self._predicted, self._measured):
                curve = PlainCurve(antialias=False)
                self._box.addItem(curve, ignoreBounds=True)
                curves.append(curve)
        for curve in (*self._measured, *self._predicted):
            curve.setData([], [])
        self.restyle()

    def restyle(self) -> None:
        """Takes the theme's colours."""
        colors = theme.current()
        for place, curve in enumerate(self._measured):
            style = RANK_DASHES[place % len(RANK_DASHES)]
            curve.setPen(pg.mkPen(colors.color("accent"), width=1, style=style))
        for curve in self._predicted:
            curve.setPen(pg.mkPen(colors.color("text2"), width=1))

    def refresh(self, left: float, right: float, pixels: int, *, shown: bool) -> list[Floats]:
        """Draws the samples taken so far; the heights of all that is drawn."""
        heights: list[Floats] = []
        for place, each in enumerate(self._ranks):
            data = each.data
            x, y = decimate(data.x, data.allocated, data.highest, left, right, pixels)
            if not shown:
                x = y = np.empty(0)
            self._measured[place].setData(x, y)
            heights.append(y)
            if each.own_prediction:
                px, py = data.predicted_between(left, right, pixels)
                self._predicted[place].setData(px, py)
                heights.append(py)
        return heights
