"""The card in the plot of plans: a line, what is over it shaded, the margin, and their words."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from memplanner.messages.device import Device
from memplanner.units import GIB, format_bytes
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.budget_words import capacity_words

_FARTHEST = 2.5
"""Times the largest plan: a card beyond that is told in words, or all plans were in one place."""
_ROOM = 0.12
"""The share of the width that the words at the card's line take."""
_LINE = 34
"""The height of those words, in pixels."""
_OVER_ALPHA = 14


class CardLimit:
    """Items of a ``ViewBox`` whose x is GiB."""

    def __init__(self, box: pg.ViewBox) -> None:
        self._box = box
        self._memory_bytes: int | None = None
        self._margin_bytes = 0
        self._on_cpu = False
        self._near = False
        self._card = pg.InfiniteLine(angle=90)
        self._margin = pg.InfiniteLine(angle=90)
        self._over = pg.LinearRegionItem(movable=False)
        self._card_words, self._margin_words = pg.TextItem(), pg.TextItem(anchor=(1, 0))
        for line in self._over.lines:
            line.setPen(pg.mkPen(None))
        for item in (self._over, self._margin, self._card, self._card_words, self._margin_words):
            box.addItem(item, ignoreBounds=True)

    def show(self, device: Device | None, margin_bytes: int) -> None:
        """Shows a device's memory with a margin; None where devices differ."""
        self._memory_bytes = None if device is None else device.memory_bytes
        self._on_cpu = device is not None and device.kind == "cpu"
        self._margin_bytes = margin_bytes

    def extent(self, largest: float) -> list[float]:
        """What has to be in sight beside plans up to ``largest`` GiB: the line, if it is near."""
        memory = self._memory_bytes
        if memory is None or (largest > 0 and memory / GIB > _FARTHEST * largest):
            self._near = False
            return []
        self._near = True
        return [memory / GIB]

    def place(self) -> None:
        """Puts everything to its place in what is in sight now."""
        memory, near = self._memory_bytes, self._near
        margined = near and self._margin_bytes > 0
        self._card_words.setVisible(memory is not None)
        for item, shown in (
            (self._card, near),
            (self._over, near),
            (self._margin, margined),
            (self._margin_words, margined),
        ):
            item.setVisible(shown)
        if memory is None:
            return
        text = (
            translate("Views", "does not fit") if near else translate("Views", "is farther right")
        )
        between = "\n" if near else " "
        size = capacity_words(memory, on_cpu=self._on_cpu)
        self._card_words.setText(f"{size}{between}{text}")
        self._margin_words.setText(
            translate("Views", "{size} margin").format(size=format_bytes(self._margin_bytes))
        )
        (left, right), (_, top) = self._box.viewRange()
        at = memory / GIB
        self._card.setPos(at)
        self._over.setRegion((at, max(at, 2 * right)))
        # where there is no room beyond the line, its words stand before it
        room = _ROOM * (right - left)
        beyond = near and right - at > room
        self._card_words.setAnchor((0 if beyond else 1, 0))
        self._card_words.setPos(at if near else right, top)
        before = (memory - self._margin_bytes) / GIB
        _, pixel = self._box.viewPixelSize()
        self._margin.setPos(before)
        below = 0.0 if beyond or at - before > room else pixel * fonts.scaled(_LINE)
        self._margin_words.setPos(before, top - below)

    def restyle(self) -> None:
        """Takes the theme's colours."""
        colors = theme.current()
        limit = colors.color("trouble")
        shade = QColor(limit)
        shade.setAlpha(_OVER_ALPHA)
        self._card.setPen(pg.mkPen(limit, width=2))
        self._over.setBrush(pg.mkBrush(shade))
        self._margin.setPen(pg.mkPen(colors.color("text3"), style=Qt.PenStyle.DashLine))
        for said, ink in ((self._card_words, "text"), (self._margin_words, "text2")):
            said.setFont(fonts.font("axis"))
            said.setColor(colors.color(ink))
