"""The panel that explains the rank whose figures are shown."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from memplanner.messages.estimate import Estimate, Traffic
from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons, theme
from memplanner_ui.views.parts import PARTS, absent_parts, exact, shown, title_of
from memplanner_ui.views.ranks_data import Cell, cell_of, nodes_words, why, worst
from memplanner_ui.views.rows import Panel, Part, label, number
from memplanner_ui.views.stacked_bar import StackedBar
from memplanner_ui.views.swatch import icon as swatch_icon

KINDS = {
    "all_gather": translatable("Views", "All-gather"),
    "reduce_scatter": translatable("Views", "Reduce-scatter"),
    "all_reduce": translatable("Views", "All-reduce"),
    "all_to_all": translatable("Views", "All-to-all"),
    "broadcast": translatable("Views", "Broadcast"),
    "send": translatable("Views", "Stage to stage"),
}
LINKS = {
    "card": translatable("Views", "Within nodes"),
    "node": translatable("Views", "Between nodes"),
}
_VERDICTS = {
    "fits": ("fits", "fits"),
    "at_risk": ("may_not_fit", "caution"),
    "does_not_fit": ("trouble", "trouble"),
}


class RankPanel(Panel):
    """Who the rank is, what it holds, why the fullest is the fullest, and what it sends."""

    fullest_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Rank"), parent)
        self._estimate: Estimate | None = None
        self._says_nothing = False
        theme.current().changed.connect(self._draw_again)
        self.set_estimate(None)

    def _draw_again(self) -> None:
        self.set_estimate(self._estimate)

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows the estimate's rank."""
        self._estimate = estimate
        cell = None if estimate is None else cell_of(estimate, estimate.rank)
        if cell is None and self._says_nothing:
            return  # as every edit for one card
        self._says_nothing = cell is None
        self.clear_parts()
        if estimate is None or cell is None:
            part = Part()
            words = translate(
                "Views", "With several cards, this explains the fullest one, or the one you select."
            )
            part.add(label(words, "secondary", "faint", wrap=True))
            self.add_part(part)
            return
        fullest = worst(estimate)
        self.add_part(self._head(estimate, cell, fullest))
        reason = Part(
            translate("Views", "Why this rank")
            if cell == fullest
            else translate("Views", "Why the fullest is")
        )
        reason.add(label(why(estimate), "body", wrap=True))
        if fullest is not None and cell != fullest:
            back = QPushButton(translate("Views", "Show the fullest"))
            back.clicked.connect(self.fullest_wanted)
            reason.add(back)
        self.add_part(reason)
        self.add_part(_traffic(estimate.traffic))

    def _head(self, estimate: Estimate, cell: Cell, fullest: Cell | None) -> Part:
        section = estimate.plan.sharding
        part = Part()
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        mark, ink = _VERDICTS.get(cell.figures.verdict or "", ("unknown", "text2"))
        shape = QLabel()
        shape.setPixmap(icons.icon(mark, ink).pixmap(20, 20))
        line.addWidget(shape)
        title = label(f"{_rank_words(estimate, cell)}, {cell.spare_words}", "notice", wrap=True)
        line.addWidget(title, 1)
        part.add(row)
        card = estimate.rank % section.cards_per_node
        places = [
            nodes_words(section, estimate.rank, estimate.rank),
            translate("Views", "card {number}").format(number=card),
        ]
        if section.pipeline > 1:
            places.append(translate("Views", "stage {stage}").format(stage=cell.stage))
        if cell.count > 1:
            places.append(
                translate("Views", "one of {count} alike").format(count=format_count(cell.count))
            )
        if cell == fullest:
            places.append(translate("Views", "the fullest"))
        part.add(label(", ".join(places), "secondary", "secondary", wrap=True))
        bar = StackedBar(height=14)
        bar.set_values(cell.parts, max(cell.capacity_bytes or 0, cell.whole_bytes))
        part.add(bar)
        rows: list[tuple[QWidget, ...]] = []
        printed = shown(cell.parts, cell.whole_bytes)
        absent = absent_parts(estimate)
        for name, size, real in zip(PARTS, printed, cell.parts, strict=True):
            if name in absent and not real:
                continue
            square = QLabel()
            square.setPixmap(swatch_icon(name).pixmap(16, 16))
            value = number(format_bytes(size))
            value.setToolTip(exact(real))
            rows.append((square, label(title_of(name), "body", "secondary"), value))
        total = number(format_bytes(cell.whole_bytes), strong=True)
        rows.append((QLabel(), label(translate("Views", "Peak"), "heading"), total))
        part.add_grid(rows, stretch=1)
        return part


def _rank_words(estimate: Estimate, cell: Cell) -> str:
    return (
        translate("Views", "Rank {rank}").format(rank=estimate.rank)
        if cell.count == 1
        else cell.title.capitalize()
    )


def _traffic(rows: tuple[Traffic, ...]) -> Part:
    part = Part(translate("Views", "Sent in a step"))
    if not rows:
        part.add(
            label(
                translate("Views", "Nothing is sent to other cards."),
                "secondary",
                "faint",
                wrap=True,
            )
        )
        return part
    known = [row.seconds for row in rows if row.seconds is not None]
    part.right.setText(format_bytes(sum(row.sent_bytes for row in rows)))
    for link, title in LINKS.items():
        of_link = [row for row in rows if row.link == link]
        if of_link:
            part.add(label(translate("Views", title), "secondary", "faint"))
        for row in of_link:
            value = part.add_pair(translate("Views", KINDS[row.kind]), traffic_words(row))
            value.setToolTip(
                translate("Views", "{sent} in {calls} calls").format(
                    sent=exact(row.sent_bytes), calls=format_count(row.calls)
                )
            )
    words = translate("Views", "No rate of a link is known; set it under Cards.")
    if known:
        words = translate("Views", "{time} at the links’ full rate: an estimate, not measured.")
        if len(known) < len(rows):
            words = translate(
                "Views",
                "{time} at the links’ full rate: an estimate, not measured; "
                "a rate is missing for the rest.",
            )
        words = words.format(time=seconds_words(sum(known)))
    part.add(label(words, "secondary", "faint", wrap=True))
    return part


def traffic_words(row: Traffic) -> str:
    """Such as ``112 GiB, 2.2 s``."""
    size = format_bytes(row.sent_bytes)
    return size if row.seconds is None else f"{size}, {seconds_words(row.seconds)}"


def seconds_words(seconds: float) -> str:
    """A time in two or three figures: ``2.2 s``, ``35 ms``, ``under 1 ms``."""
    if seconds < 0.001:
        return translate("Views", "under 1 ms")
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


__all__ = ["KINDS", "LINKS", "RankPanel", "seconds_words", "traffic_words"]
