"""The painted icicle: tiles that are pointed at, gone through by keys, chosen and zoomed into."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views import icicle_paint, icicle_words
from memplanner_ui.views.icicle_data import ALL, NONE, Icicle
from memplanner_ui.views.icicle_layout import Tile, arrange, home
from memplanner_ui.views.layer_query import Booleans

_MARGIN = 3
"""Around the tiles, so that the frame of those at the edge can be seen."""
_ROW_LEAST, _ROW_MOST = 30, 112
"""Pixels of a row: few rows are higher, so that a small plan on a large device fills the view."""


class IcicleMap(QWidget):
    """One zoom into an icicle. Emits what is chosen; who shows it says what is selected."""

    chosen = Signal(str)
    """A module's dotted name."""
    pointed = Signal(str)
    """What the tile under the pointer or with the cursor says; empty for none."""
    zoomed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icicle: Icicle | None = None
        self._column = ALL
        self._zoom = NONE
        self._found: Booleans | None = None
        self._selected: str | None = None
        self._tiles: list[Tile] = []
        self._row_height = 0
        self._cursor = NONE
        """The first of the tiles that the cursor's rectangle shows."""
        self._hovered: Tile | None = None
        self._picture: QPixmap | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setProperty("ownFocusRing", True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(translate("Views", "Icicle"))
        theme.current().changed.connect(self._repaint)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, fonts.scaled(_ROW_LEAST) * 4)

    # What is shown

    @property
    def icicle(self) -> Icicle | None:
        """What is shown."""
        return self._icicle

    @property
    def tiles(self) -> Sequence[Tile]:
        """The rectangles, row by row."""
        return self._tiles

    @property
    def zoom(self) -> int:
        """The tile that is as wide as the whole."""
        return self._zoom

    @property
    def is_zoomed(self) -> bool:
        """Whether something else than the whole is shown."""
        return self._icicle is not None and self._zoom != home(self._icicle, self._column)

    def show_icicle(self, icicle: Icicle | None, column: str) -> None:
        """Shows ``icicle`` by one column or by all; zoom and cursor stay where they were."""
        before = self._icicle
        zoom = None if before is None or not self.is_zoomed else before.key(self._zoom)
        cursor = None if before is None or self._cursor == NONE else before.key(self._cursor)
        self._icicle, self._column = icicle, column
        self._hovered = None
        self._found = None
        self._zoom = self._cursor = NONE
        if icicle is not None:
            self._zoom = NONE if zoom is None else icicle.find(zoom)
            if self._zoom == NONE or not icicle.spans(column)[1][self._zoom]:
                self._zoom = home(icicle, column)
            self._cursor = NONE if cursor is None else icicle.find(cursor)
        self._arrange()
        self.zoomed.emit()

    def set_found(self, found: Booleans | None) -> None:
        """Dims every tile that is not in ``found``; None dims nothing."""
        self._found = found
        self._repaint()

    def select(self, name: str | None) -> None:
        """Frames the module ``name``, and goes up to where it can be seen."""
        self._selected = name
        icicle = self._icicle
        if icicle is not None and name is not None:
            tile = icicle.tile_of(name)
            above = icicle.above(self._zoom)
            if tile != NONE and self._zoom not in (*icicle.above(tile), tile) and tile not in above:
                inside = [one for one in icicle.above(tile) if one in above]
                self.zoom_to(max(inside, default=home(icicle, self._column)))
        self.update()

    def zoom_to(self, tile: int) -> None:
        """Makes ``tile`` as wide as the whole."""
        icicle = self._icicle
        if icicle is None or not icicle.spans(self._column)[1][tile]:
            return
        self._zoom = max(tile, home(icicle, self._column))
        self._hovered = None
        self._arrange()
        self.zoomed.emit()

    def zoom_out(self) -> None:
        """One level up; the cursor stays on what was zoomed into."""
        if self._icicle is not None and self.is_zoomed:
            self._cursor = self._zoom
            self.zoom_to(int(self._icicle.parent[self._zoom]))

    def zoom_to_all(self) -> None:
        """Shows the whole."""
        if self._icicle is not None:
            self.zoom_to(home(self._icicle, self._column))

    def _arrange(self) -> None:
        self._tiles = []
        icicle = self._icicle
        width = self.width() - 2 * _MARGIN
        if icicle is not None and width > 0:
            room = self.height() - 2 * _MARGIN
            least, most = fonts.scaled(_ROW_LEAST), fonts.scaled(_ROW_MOST)
            rows = max(3, room // least)
            scale = self.devicePixelRatioF()
            self._tiles = arrange(icicle, self._column, self._zoom, width, rows, scale)
            used = self._tiles[-1].row + 1
            self._row_height = min(most, max(least, room // used))
        if self._tile_at_cursor() is None:
            self._cursor = NONE
        self._repaint()

    def _repaint(self) -> None:
        self._picture = None
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()
        super().resizeEvent(event)

    # Painting

    def area_of(self, tile: Tile) -> QRectF:
        """Where a tile is painted."""
        return icicle_paint.area_of(tile, self._row_height).translated(_MARGIN, _MARGIN)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        if self._icicle is not None:
            if self._picture is None:
                self._picture = self._paint_tiles(self._icicle)
            painter.drawPixmap(0, 0, self._picture)
            self._paint_marks(painter, self._icicle)
        painter.end()

    def _paint_tiles(self, icicle: Icicle) -> QPixmap:
        scale = self.devicePixelRatioF()
        picture = QPixmap(self.size() * scale)
        picture.setDevicePixelRatio(scale)
        picture.fill(theme.current().color("base"))
        painter = plot_painter(picture)
        painter.translate(_MARGIN, _MARGIN)
        icicle_paint.paint(
            painter, icicle, self._tiles, self._column, self._row_height, self._found
        )
        painter.end()
        return picture

    def _paint_marks(self, painter: QPainter, icicle: Icicle) -> None:
        """The selected tile, the one with the cursor, and the one under the pointer."""
        colors = theme.current()
        selected = NONE if self._selected is None else icicle.tile_of(self._selected)
        if self._hovered is not None:
            painter.setPen(QPen(colors.color("text"), 1))
            painter.drawRect(self.area_of(self._hovered).adjusted(0.5, 0.5, -0.5, -0.5))
        for tile in self._tiles:
            if tile.first <= selected < tile.stop:
                area = self.area_of(tile)
                ground = colors.color("accent")
                ground.setAlphaF(0.14)
                painter.fillRect(icicle_paint.above_strip(area), ground)
                painter.setPen(QPen(colors.color("base"), 4))
                painter.drawRect(area.adjusted(2, 2, -2, -2))
                painter.setPen(QPen(colors.color("accent"), 2))
                painter.drawRect(area.adjusted(1, 1, -1, -1))
                break
        cursor = self._tile_at_cursor()
        if cursor is not None and self.hasFocus():
            painter.setPen(QPen(colors.color("accent"), 2))
            painter.drawRect(self.area_of(cursor).adjusted(-2, -2, 2, 2))

    # Pointing

    def _tile_at(self, place: QPointF) -> Tile | None:
        for tile in self._tiles:
            if self.area_of(tile).adjusted(0, 0, 1, 2).contains(place):
                return tile
        return None

    def _tile_at_cursor(self) -> Tile | None:
        inside = (tile for tile in self._tiles if tile.first <= self._cursor < tile.stop)
        return next(inside, None)

    def tile_under(self, place: QPointF | None) -> Tile | None:
        """The tile at a place; without one that with the cursor, else the one zoomed into."""
        if place is not None:
            return self._tile_at(place)
        at_cursor = self._tile_at_cursor()
        zoomed = (tile for tile in self._tiles if tile.first == self._zoom)
        return next(zoomed, None) if at_cursor is None else at_cursor

    @property
    def column(self) -> str:
        """The category that is shown, or ``icicle_data.ALL``."""
        return self._column

    def say(self) -> None:
        """Tells the tile under the pointer, or else the one with the cursor."""
        tile = self._hovered
        if tile is None and self.hasFocus():
            tile = self._tile_at_cursor()
        icicle = self._icicle
        text = "" if tile is None or icicle is None else self.words_of(tile)
        self.pointed.emit(text)

    def words_of(self, tile: Tile) -> str:
        """What a tile says."""
        return "" if self._icicle is None else icicle_words.words(self._icicle, tile, self._column)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        tile = self._tile_at(event.position())
        if tile != self._hovered:
            self._hovered = tile
            self.say()
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.say()
        self.update()

    def event(self, event: QEvent) -> bool:
        """A tip of more than the line, where the pointer rests."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            tile = self._tile_at(QPointF(event.pos()))
            if tile is None or self._icicle is None:
                QToolTip.hideText()
            else:
                text = icicle_words.tip(self._icicle, tile, self._column)
                QToolTip.showText(event.globalPos(), text, self, self.area_of(tile).toRect())
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        tile = self._tile_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and tile is not None:
            self._cursor = tile.first
            self.open_tile(tile)
            event.accept()
            return
        super().mousePressEvent(event)

    # Choosing

    def open_tile(self, tile: Tile) -> None:
        """Chooses the tile's module and zooms into it; from one as wide as the whole, out to it."""
        icicle = self._icicle
        if icicle is None:
            return
        if tile.many > 1:
            self.zoom_to(tile.above)
            return
        self._choose(tile)
        if tile.first == self._zoom:
            self.zoom_out()
        elif tile.first in icicle.above(self._zoom) or self._has_parts(tile.first):
            self.zoom_to(tile.first)
        self.say()
        self.update()

    def _has_parts(self, tile: int) -> bool:
        icicle = self._icicle
        if icicle is None:
            return False
        _, size = icicle.spans(self._column)
        return bool((size[icicle.parent == tile] > 0).any())

    def _choose(self, tile: Tile) -> None:
        name = None if self._icicle is None else self._icicle.module(tile.first)
        if name is not None and tile.many == 1:
            self._selected = name
            self.chosen.emit(name)

    # Keys

    def focusInEvent(self, event: QFocusEvent) -> None:
        if self._cursor == NONE and self._tiles:
            self._cursor = self._zoom
        self.say()
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.say()
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = Qt.Key
        key = event.key()
        tile = self._tile_at_cursor()
        steps = {keys.Key_Left: (0, -1), keys.Key_Right: (0, 1)}
        steps |= {keys.Key_Up: (-1, 0), keys.Key_Down: (1, 0)}
        step = steps.get(keys(key))
        if step is not None:
            self._move(*step)
        elif key in (keys.Key_Return, keys.Key_Enter) and tile is not None:
            self.open_tile(tile)
        elif key == keys.Key_Space and tile is not None:
            self._choose(tile)
            self.update()
        elif key == keys.Key_Home:
            self.zoom_to_all()
        elif key in (keys.Key_Backspace, keys.Key_Escape) and self.is_zoomed:
            self.zoom_out()
        else:
            super().keyPressEvent(event)
            return
        self._tell_cursor()
        event.accept()

    def _move(self, down: int, right: int) -> None:
        """The cursor to a neighbour in its row, to what it lies below, or to its first part."""
        tile = self._tile_at_cursor()
        if tile is None:
            self._cursor = self._zoom
        elif right:
            row = [one for one in self._tiles if one.row == tile.row]
            place = row.index(tile) + right
            if 0 <= place < len(row):
                self._cursor = row[place].first
        else:
            middle = min(tile.left, tile.right - 1)
            row = [one for one in self._tiles if one.row == tile.row + down]
            if down > 0:
                row = [one for one in row if one.above == tile.first]
            else:
                row = [one for one in row if one.left <= middle < one.right]
            if row:
                self._cursor = row[0].first

    def _tell_cursor(self) -> None:
        tile = self._tile_at_cursor()
        self._hovered = None
        self.setAccessibleDescription("" if tile is None else self.words_of(tile))
        changed = QAccessibleEvent(self, QAccessible.Event.DescriptionChanged)
        QAccessible.updateAccessibility(changed)
        self.say()
        self.update()
