"""The window's icons: SVG files of ``resources/icons``, coloured from the theme."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from weakref import ref

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QPushButton

from memplanner_ui.look import theme as themes
from memplanner_ui.look.direction import mirrors

SIZE = 16
_GAP = 3
"""Between an icon and the words of a button, beside the four pixels that Qt leaves."""
_SIZES = (16, 20, 24, 32, 48, 64)


@cache
def source(name: str) -> str:
    """The SVG text of the icon called ``name``, its strokes in ``currentColor``."""
    path = files("memplanner.resources") / "icons" / f"{name}.svg"
    return path.read_text("utf-8")


def paint(painter: QPainter, name: str, area: QRectF, color: QColor) -> None:
    """Paints the icon into ``area``: sharp at any size and scale."""
    _renderer(name, color.name()).render(painter, area)


def icon(name: str, color: str = "text", *, gap: int = 0) -> QIcon:
    """The icon called ``name`` in the theme's ``color``, its disabled state in ``text3``.

    ``gap`` pixels of ``SIZE`` stay empty on the side where words follow.
    """
    theme = themes.current()
    inks = theme.color(color).name(), theme.color("text3").name()
    return QIcon(_drawn(name, *inks, gap, gap > 0 and mirrors()))


def set_icon(
    target: QAction | QAbstractButton, name: str, color: str = "text", *, words: bool = False
) -> None:
    """Gives ``target`` the icon, and again whenever the theme changes.

    ``words``: a button will have words beside it, though it has none yet.
    """
    target.setProperty("iconName", name)
    target.setProperty("iconColor", color)
    gap = _GAP if isinstance(target, QPushButton) and (words or target.text()) else 0
    target.setProperty("iconGap", gap)
    if gap and isinstance(target, QPushButton):
        target.setIconSize(QSize(SIZE + gap, SIZE))
    _renew(target)
    if not target.property("iconFollowsTheme"):
        target.setProperty("iconFollowsTheme", True)
        _Follower(target)


class _Follower(QObject):
    """A child of an action or button that renews its icon when the theme changes."""

    def __init__(self, target: QAction | QAbstractButton) -> None:
        super().__init__(target)
        self._target = ref(target)
        themes.current().changed.connect(self._renew)

    def _renew(self) -> None:
        target = self._target()
        if target is not None:
            _renew(target)


def _renew(target: QAction | QAbstractButton) -> None:
    name, color, gap = (target.property(f"icon{what}") for what in ("Name", "Color", "Gap"))
    target.setIcon(icon(name, color, gap=gap))


@cache
def _drawn(name: str, ink: str, disabled_ink: str, gap: int, mirrored: bool) -> QIcon:
    """Drawn once for all places that show it."""
    result = QIcon()
    disabled = QColor(disabled_ink)
    disabled.setAlphaF(0.65)
    for size in _SIZES:
        apart = round(size * gap / SIZE)
        for color, mode in ((QColor(ink), QIcon.Mode.Normal), (disabled, QIcon.Mode.Disabled)):
            result.addPixmap(_pixmap(name, size, color, apart, mirrored=mirrored), mode)
    return result


@cache
def _renderer(name: str, color: str) -> QSvgRenderer:
    text = source(name).replace("currentColor", color)
    return QSvgRenderer(QByteArray(text.encode()))


def _pixmap(name: str, size: int, color: QColor, gap: int, *, mirrored: bool) -> QPixmap:
    pixmap = QPixmap(QSize(size + gap, size))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(color.alphaF())
    paint(painter, name, QRectF(gap if mirrored else 0, 0, size, size), color)
    painter.end()
    return pixmap
