"""The window's fonts, derived from the application's, so that the system's text size counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication

Role = Literal["verdict", "notice", "body", "heading", "secondary", "axis", "mono"]

BODY = 12.5
"""Pixels of body text at 100 %, which the other sizes are relative to."""

_SIZES: dict[Role, float] = {
    "verdict": 16.5,
    "notice": 15.0,
    "body": BODY,
    "heading": BODY,
    "secondary": 11.5,
    "axis": 11.0,
    "mono": 11.5,
}
_SEMIBOLD: frozenset[Role] = frozenset({"verdict", "notice", "heading"})

_FALLBACK = "Inter"
_FALLBACK_POINTS = 9.4  # 12.5 px at 96 dpi
_GENERIC = frozenset({"Sans Serif", "Sans", "sans-serif", ""})


def interface_font(system: QFont) -> QFont:
    """``system`` with tabular figures; Inter where the system names no font of its own."""
    font = QFont(system)
    if font.family() in _GENERIC and _FALLBACK in QFontDatabase.families():
        font.setFamilies([_FALLBACK])
        font.setPointSizeF(_FALLBACK_POINTS)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def font(role: Role) -> QFont:
    """The font of ``role`` at the size the application's own font asks for."""
    return QFont(_made().fonts[role])


def semibold(role: Role) -> QFont:
    """The font of ``role`` in semibold: for totals and chosen things."""
    return QFont(_made().semibold[role])


def scaled(pixels: float) -> int:
    """A height given for 100 % text, grown with the system's text size, never shrunk."""
    return round(pixels * _made().growth)


@dataclass(frozen=True, slots=True)
class _Made:
    """What follows from the application's font. Painting asks for it hundreds of times."""

    application: QFont
    fonts: dict[Role, QFont]
    semibold: dict[Role, QFont]
    growth: float


_last: list[_Made] = []


def _made() -> _Made:
    application = QApplication.font()
    if not _last or _last[0].application != application:
        _last[:] = [_make(application)]
    return _last[0]


def _make(application: QFont) -> _Made:
    fonts: dict[Role, QFont] = {role: _font(role, application) for role in _SIZES}
    semibold = {role: QFont(font) for role, font in fonts.items()}
    for font in semibold.values():
        font.setWeight(QFont.Weight.DemiBold)
    body = QFontInfo(application).pixelSize()
    return _Made(application, fonts, semibold, max(1.0, body / (BODY + 0.5)))


def _font(role: Role, application: QFont) -> QFont:
    if role == "mono":
        result = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        result.setStyleHint(QFont.StyleHint.Monospace)
    else:
        result = QFont(application)
        result.setFeature(QFont.Tag("tnum"), 1)
    points = application.pointSizeF()  # negative where the size was given in pixels
    if points <= 0:
        points = QFontInfo(application).pointSizeF()
    result.setPointSizeF(points * _SIZES[role] / BODY)
    if role in _SEMIBOLD:
        result.setWeight(QFont.Weight.DemiBold)
    return result
