"""The window's icons: SVG files of ``resources/icons``, coloured from the theme."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from weakref import ref

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

from memplanner_ui.look import theme as themes

SIZE = 16
_SIZES = (16, 20, 24, 32, 48, 64)


@cache
def source(name: str) -> str:
    """The SVG text of the icon called ``name``, its strokes in ``currentColor``."""
    path = files("memplanner.resources") / "icons" / f"{name}.svg"
    return path.read_text("utf-8")


def paint(painter: QPainter, name: str, area: QRectF, color: QColor) -> None:
    """Paints the icon into ``area``: sharp at any size and scale."""
    _renderer(name, color.name()).render(painter, area)


def icon(name: str, color: str = "text") -> QIcon:
    """The icon called ``name`` in the theme's ``color``, its disabled state in ``text3``."""
    theme = themes.current()
    return QIcon(_drawn(name, theme.color(color).name(), theme.color("text3").name()))


def set_icon(target: QAction | QAbstractButton, name: str, color: str = "text") -> None:
    """Gives ``target`` the icon, and again whenever the theme changes."""
    target.setIcon(icon(name, color))
    target.setProperty("iconName", name)
    target.setProperty("iconColor", color)
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
            target.setIcon(icon(target.property("iconName"), target.property("iconColor")))


@cache
def _drawn(name: str, ink: str, disabled_ink: str) -> QIcon:
    """Drawn once for all places that show it."""
    result = QIcon()
    disabled = QColor(disabled_ink)
    disabled.setAlphaF(0.65)
    for size in _SIZES:
        result.addPixmap(_pixmap(name, size, QColor(ink)), QIcon.Mode.Normal)
        result.addPixmap(_pixmap(name, size, disabled), QIcon.Mode.Disabled)
    return result


@cache
def _renderer(name: str, color: str) -> QSvgRenderer:
    text = source(name).replace("currentColor", color)
    return QSvgRenderer(QByteArray(text.encode()))


def _pixmap(name: str, size: int, color: QColor) -> QPixmap:
    pixmap = QPixmap(QSize(size, size))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(color.alphaF())
    paint(painter, name, QRectF(0, 0, size, size), color)
    painter.end()
    return pixmap
