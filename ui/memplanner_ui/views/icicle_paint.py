"""How the tiles of an icicle are painted: a name, its bytes, and a strip of categories below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen

from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views import stacked_bar
from memplanner_ui.views.icicle_data import ALL, COLUMNS, TOP, Icicle
from memplanner_ui.views.icicle_layout import Tile
from memplanner_ui.views.layer_query import Booleans
from memplanner_ui.views.parts import PARTS, distance

_STRIP, _STRIP_SHARE = 7.0, 0.18
"""The strip of categories: at least these pixels, and this share of a row."""
_GAP = 1.0
_PADDING = 5
_STACKED_FROM = 12.0
"""Narrower tiles have the colour of their largest category alone."""
_DIMMED = 0.32
"""Opacity of what a query does not find."""
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and fonts, looked up once for many tiles."""

    paints: stacked_bar.Paints
    ground: QColor
    border: QColor
    text: QColor
    second: QColor
    trouble: QColor
    free: QColor
    on_free: QColor
    fills: dict[str, QColor]
    on_fills: dict[str, QColor]
    metrics: QFontMetrics

    @classmethod
    def current(cls) -> Look:
        """Those of the theme in use."""
        colors = theme.current()
        return cls(
            stacked_bar.Paints.current(),
            colors.color("raised"),
            colors.color("border"),
            colors.color("text"),
            colors.color("text2"),
            colors.color("trouble"),
            colors.color("free"),
            colors.color("on_free"),
            {name: colors.color(name) for name in COLUMNS},
            {name: colors.color(f"on_{name}") for name in COLUMNS},
            QFontMetrics(fonts.font("axis")),
        )


def paint(
    painter: QPainter,
    icicle: Icicle,
    tiles: Sequence[Tile],
    column: str,
    height: float,
    found: Booleans | None,
) -> None:
    """Paints ``tiles``, each row ``height`` high; what is not in ``found`` is dimmed."""
    look = Look.current()
    painter.setFont(fonts.font("axis"))
    for tile in tiles:
        shown = found is None or bool(found[tile.first : tile.stop].any())
        painter.setOpacity(1.0 if shown else _DIMMED)
        _paint_tile(painter, icicle, tile, column, height, look)
    painter.setOpacity(1.0)


def area_of(tile: Tile, height: float) -> QRectF:
    """Where a tile lies; a pixel is left free at its right and below it."""
    width = max(tile.width - _GAP, min(tile.width, 1.0))
    return QRectF(tile.left, tile.row * height, width, height - 2)


def above_strip(area: QRectF) -> QRectF:
    """The part of a tile that its words stand in."""
    strip = max(float(fonts.scaled(_STRIP)), round(area.height() * _STRIP_SHARE))
    return area.adjusted(0, 0, 0, -strip)


def _paint_tile(
    painter: QPainter, icicle: Icicle, tile: Tile, column: str, height: float, look: Look
) -> None:
    area = area_of(tile, height)
    free = icicle.kind(tile.first) == "free"
    parts = icicle.bytes[tile.first : tile.stop].sum(axis=0).tolist()
    if free or column == ALL:
        ink = look.on_free if free else look.text
        second = look.on_free if free else look.second
        painter.fillRect(area, look.free if free else look.ground)
    else:
        ink = second = look.on_fills[column]
        painter.fillRect(area, look.fills[column])
    if area.width() >= 3 and (free or column == ALL):
        painter.setPen(QPen(look.second if free else look.border, 1))
        painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
    elif look.paints.outline is not None:
        painter.setPen(QPen(look.paints.outline, 1))
        painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
    words = area
    if column == ALL and not free:
        words = above_strip(area)
        strip = QRectF(area.left(), words.bottom(), area.width(), area.bottom() - words.bottom())
        _paint_strip(painter, strip, parts, look)
    size = sum(parts) if column == ALL else parts[COLUMNS.index(column)]
    _paint_words(painter, words, title_of(icicle, tile), format_bytes(size), ink, second, look)
    if tile.first == TOP and icicle.frame.missing_bytes and column == ALL:
        _paint_missing(painter, area, icicle, look)


def _paint_strip(painter: QPainter, strip: QRectF, parts: Sequence[int], look: Look) -> None:
    filled = parts[: len(PARTS)]
    if strip.width() >= _STACKED_FROM:
        stacked_bar.paint(painter, strip, filled, sum(parts), look.paints)
        return
    largest = max(range(len(PARTS)), key=filled.__getitem__)
    one = [size if place == largest else 0 for place, size in enumerate(filled)]
    stacked_bar.paint(painter, strip, one, one[largest], look.paints)


def _paint_words(
    painter: QPainter,
    area: QRectF,
    title: str,
    size: str,
    ink: QColor,
    second: QColor,
    look: Look,
) -> None:
    metrics, room = look.metrics, area.adjusted(_PADDING, 0, -_PADDING, 0)
    wanted, least = metrics.horizontalAdvance(title), metrics.horizontalAdvance(title[:2] + "…")
    painter.setPen(ink)
    fits = metrics.horizontalAdvance(size) <= room.width()
    if wanted + 2 <= area.width() and not fits:
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, title)
        return
    if room.width() < min(wanted, least):
        return
    line = metrics.height()
    below = fits and room.height() >= 2 * line + 2
    first = room
    if below:
        first = QRectF(room.left(), room.center().y() - line, room.width(), line)
    shown = metrics.elidedText(title, Qt.TextElideMode.ElideRight, int(room.width()))
    painter.drawText(first, _LEFT, shown)
    painter.setPen(second)
    if below:
        painter.drawText(first.translated(0, line), _LEFT, size)
    elif wanted + 8 + metrics.horizontalAdvance(size) <= room.width():
        painter.drawText(room.adjusted(wanted + 8, 0, 0, 0), _LEFT, size)


def _paint_missing(painter: QPainter, area: QRectF, icicle: Icicle, look: Look) -> None:
    """The card's end, as a line, and how much does not fit."""
    memory, missing = icicle.frame.memory_bytes or 0, icicle.frame.missing_bytes
    x = round(area.left() + area.width() * memory / (memory + missing))
    painter.setPen(QPen(look.trouble, 2))
    painter.drawLine(x, round(area.top()), x, round(area.bottom()))
    words = translate("Views", "{size} missing").format(size=distance(memory + missing, memory))
    width = look.metrics.horizontalAdvance(words)
    top = above_strip(area)
    left = min(x - width - 8, area.right() - width - _PADDING)
    if left > area.left() + area.width() / 2:
        painter.drawText(QRectF(left, top.top(), width + 2, top.height()), _LEFT, words)


def title_of(icicle: Icicle, tile: Tile) -> str:
    """What stands on a tile: its name, and how many it stands for."""
    if tile.many > 1:
        return translate("Views", "{count} smaller").format(count=format_count(tile.many))
    title, count = icicle.title(tile.first), int(icicle.count[tile.first])
    return f"{title} × {format_count(count)}" if count > 1 else title
