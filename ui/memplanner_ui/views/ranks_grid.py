"""The grid of ranks: a row is a stage; the fuller a card, the stronger its cell's shade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from memplanner.plan.sharding import Sharding
from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views import stacked_bar
from memplanner_ui.views.ranks_data import Cell, in_flight, nodes_words
from memplanner_ui.views.rows import label

_HEIGHT = 58
_LEAST_WIDTH = 92
_LABEL_WIDTH = 76
_PADDING = 9
_LIGHTEST, _DARKEST = 0.06, 0.42
"""Opacity of the accent over the base, for an empty card and a full one."""


@dataclass(frozen=True, slots=True)
class Shades:
    """From the emptiest rank to the fullest: the fuller that one's card is, the stronger."""

    emptiest: Cell
    fullest: Cell

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Shades:
        """The shades for these cells."""
        ordered = sorted(cells, key=lambda cell: cell.whole_bytes)
        return cls(ordered[0], ordered[-1])

    def of_cell(self, cell: Cell) -> float:
        """The opacity of a cell's ground."""
        darkest = self._of_share(self.fullest)
        between = self.fullest.whole_bytes - self.emptiest.whole_bytes
        if not between:
            return darkest
        place = (cell.whole_bytes - self.emptiest.whole_bytes) / between
        return _LIGHTEST + (darkest - _LIGHTEST) * place

    def _of_share(self, cell: Cell) -> float:
        share = cell.whole_bytes / cell.capacity_bytes if cell.capacity_bytes else 0.0
        return _LIGHTEST + (_DARKEST - _LIGHTEST) * min(max(share, 0.2), 1.0)


class RankButton(QAbstractButton):
    """One cell: who, what is left, what it is made of."""

    def __init__(self, cell: Cell, shade: float, *, worst: bool) -> None:
        super().__init__()
        self.cell = cell
        self._shade = shade
        self._worst = worst
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        words = translate("Views", "{ranks}, stage {stage}, {spare}, {of_capacity}").format(
            ranks=cell.title,
            stage=cell.stage,
            spare=cell.spare_words,
            of_capacity=cell.of_words,
        )
        self.setAccessibleName(
            translate("Views", "{words}, the fullest").format(words=words) if worst else words
        )
        tip = stacked_bar.words(cell.parts)
        self.setAccessibleDescription(tip)
        self.setToolTip(f"{words}\n" + tip.replace(", ", "\n"))
        theme.current().changed.connect(self.update)

    @property
    def title(self) -> str:
        """What stands at the left: who."""
        words = self.cell.title
        if self.cell.count > 1:
            words += translate("Views", ", {count} alike").format(
                count=format_count(self.cell.count)
            )
        return translate("Views", "{words}, fullest").format(words=words) if self._worst else words

    def sizeHint(self) -> QSize:
        return QSize(fonts.scaled(_LEAST_WIDTH), fonts.scaled(_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = plot_painter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(colors.color("accent"))
        ground.setAlphaF(self._shade)
        chosen = self.isChecked()
        width = 2 if self._worst or chosen else 1
        ink = "accent" if chosen else "text" if self._worst else "border"
        painter.setPen(QPen(colors.color(ink), width))
        painter.setBrush(ground)
        inset = width / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 3, 3)
        self._paint_words(painter)
        painter.end()

    def _paint_words(self, painter: QPainter) -> None:
        colors, cell = theme.current(), self.cell
        inner = QRectF(self.rect()).adjusted(_PADDING, 5, -_PADDING, -5)
        line = inner.height() / 3
        above = QRectF(inner.left(), inner.top(), inner.width(), line)
        missing = cell.spare_bytes is not None and cell.spare_bytes < 0
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(fonts.semibold("axis"))
        metrics = painter.fontMetrics()
        spare = cell.spare_words
        taken = metrics.horizontalAdvance(spare)
        if taken + metrics.horizontalAdvance(self.title) + 8 > inner.width():
            if cell.spare_bytes and not missing:
                spare = format_bytes(cell.spare_bytes)
            taken = metrics.horizontalAdvance(spare)
        painter.setPen(colors.color("trouble" if missing else "text"))
        painter.drawText(above, right, spare)
        painter.setFont(fonts.font("axis"))
        painter.setPen(colors.color("text"))
        room = int(inner.width() - taken - 8)
        title = self.title
        if painter.fontMetrics().horizontalAdvance(title) > room:
            title = cell.title  # the fullest has its frame as well
        if painter.fontMetrics().horizontalAdvance(title) > room:
            title = f"{cell.rank}" if cell.count == 1 else f"{cell.rank} …"
        painter.drawText(above, left, title)
        full = max(cell.capacity_bytes or 0, cell.whole_bytes)
        bar = QRectF(inner.left(), inner.top() + line + (line - 8) / 2, inner.width(), 8)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        painter.fillRect(bar, colors.color("base"))
        stacked_bar.paint(painter, bar, cell.parts, full, stacked_bar.Paints.current())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        below = QRectF(inner.left(), inner.top() + 2 * line, inner.width(), line)
        painter.setPen(colors.color("text2"))
        words = cell.of_words
        if painter.fontMetrics().horizontalAdvance(words) > inner.width():
            words = format_bytes(cell.whole_bytes)
        painter.drawText(below, left, words)


class _NodeLine(QWidget):
    """A dashed line between rows on different nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(7)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        pen = QPen(theme.current().color("text3"), 1, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawLine(0, self.height() // 2, self.width(), self.height() // 2)
        painter.end()


class RanksGrid(QWidget):
    """Cells in rows. Arrow keys go from cell to cell, Space or Enter chooses one."""

    chosen = Signal(int)
    """A rank."""
    pointed = Signal(object)
    """The ``Cell`` that has the focus, or None."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Views", "Ranks"))
        self._rows: list[list[RankButton]] = []
        self._body: QWidget | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    @property
    def cells(self) -> list[list[RankButton]]:
        """The cells, by stage."""
        return self._rows

    def show_ranks(
        self,
        rows: Sequence[Sequence[Cell]],
        worst: Cell | None,
        selected: int,
        section: Sharding,
        micro_batches: int,
    ) -> None:
        """Shows ``rows``, with the fullest one marked and the cell of rank ``selected`` chosen."""
        focused = self._focused_place()
        if self._body is not None:
            self._body.hide()
            self._body.deleteLater()
        self._rows = []
        body = self._body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        shades = Shades.of([cell for row in rows for cell in row])
        widest = max((len(row) for row in rows), default=1)
        line, last_node = 0, None
        for row in rows:
            node = row[0].rank // section.cards_per_node
            if last_node is not None and node != last_node:
                grid.addWidget(_NodeLine(), line, 0, 1, widest + 1)
                line += 1
            end = row[-1].rank + (row[-1].count - 1) * row[-1].stride
            last_node = end // section.cards_per_node
            grid.addWidget(_stage_label(row[0], section, end, micro_batches), line, 0)
            buttons = []
            for place, cell in enumerate(row):
                button = RankButton(cell, shades.of_cell(cell), worst=cell == worst)
                button.setChecked(cell.holds(selected))
                button.clicked.connect(lambda _=False, rank=cell.rank: self._choose(rank))
                buttons.append(button)
                grid.addWidget(button, line, place + 1)
            self._rows.append(buttons)
            line += 1
        for column in range(widest):
            grid.setColumnStretch(column + 1, 1)
        self._column.addWidget(body)
        if focused is not None:
            self._focus(*focused)

    def _choose(self, rank: int) -> None:
        for row in self._rows:
            for button in row:
                button.setChecked(button.cell.holds(rank))
        self.chosen.emit(rank)

    def _focused_place(self) -> tuple[int, int] | None:
        for y, row in enumerate(self._rows):
            for x, button in enumerate(row):
                if button.hasFocus():
                    return y, x
        return None

    def _focus(self, y: int, x: int) -> None:
        if not self._rows:
            return
        row = self._rows[min(max(y, 0), len(self._rows) - 1)]
        row[min(max(x, 0), len(row) - 1)].setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        place = self._focused_place()
        keys = Qt.Key
        steps = {
            keys.Key_Left: (0, -1),
            keys.Key_Right: (0, 1),
            keys.Key_Up: (-1, 0),
            keys.Key_Down: (1, 0),
        }
        step = steps.get(keys(event.key()))
        if place is None or step is None:
            super().keyPressEvent(event)
            return
        self._focus(place[0] + step[0], place[1] + step[1])


def _stage_label(first: Cell, section: Sharding, last: int, micro_batches: int) -> QWidget:
    """At the left of a row: the stage, what it keeps in flight, where it stands."""
    box = QWidget()
    box.setMinimumWidth(fonts.scaled(_LABEL_WIDTH))
    column = QVBoxLayout(box)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    title = label(
        translate("Views", "stage {stage}").format(stage=first.stage)
        if section.pipeline > 1
        else translate("Views", "all"),
        "axis",
    )
    title.setFont(fonts.semibold("secondary"))
    column.addStretch(1)
    column.addWidget(title)
    kept = in_flight(section, first.stage, micro_batches)
    if section.pipeline > 1 and kept is not None:
        column.addWidget(
            label(translate("Views", "{kept} in flight").format(kept=kept), "axis", "secondary")
        )
    column.addWidget(label(nodes_words(section, first.rank, last), "axis", "secondary"))
    column.addStretch(1)
    return box


class Legend(QWidget):
    """The shades from the emptiest card to the fullest, with their numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shades: Shades | None = None
        self.setFixedSize(fonts.scaled(250), fonts.scaled(18))
        theme.current().changed.connect(self.update)

    def show_ranks(self, cells: Sequence[Cell]) -> None:
        """Shows the two ends; nothing where all hold the same, or memory is not known."""
        shades = Shades.of(cells)
        low, high = shades.emptiest, shades.fullest
        known = low.capacity_bytes is not None and low.whole_bytes != high.whole_bytes
        self._shades = shades if known else None
        self.setAccessibleName(
            translate("Views", "Shades from {least} to {most}").format(
                least=low.spare_words, most=high.spare_words
            )
        )
        self.setVisible(known)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._shades is None:
            return
        colors = theme.current()
        painter = plot_painter(self)
        painter.setFont(fonts.font("axis"))
        painter.setPen(colors.color("text2"))
        emptiest, fullest = self._shades.emptiest, self._shades.fullest
        low = format_bytes(emptiest.spare_bytes or 0)
        high = fullest.spare_words
        area = QRectF(self.rect())
        metrics = painter.fontMetrics()
        middle = Qt.AlignmentFlag.AlignVCenter
        right = metrics.horizontalAdvance(high)
        bar = 60.0
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | middle, high)
        left = area.right() - right - 8 - bar
        painter.drawText(
            QRectF(area.left(), area.top(), left - area.left() - 8, area.height()),
            Qt.AlignmentFlag.AlignRight | middle,
            low,
        )
        for place in range(int(bar)):
            color = QColor(colors.color("accent"))
            one, two = self._shades.of_cell(emptiest), self._shades.of_cell(fullest)
            color.setAlphaF(one + (two - one) * place / bar)
            painter.fillRect(QRectF(left + place, area.top() + 4, 1, area.height() - 8), color)
        painter.end()
