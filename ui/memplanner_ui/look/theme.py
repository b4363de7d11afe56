"""The theme in use: named colours, the palette and the style sheet made from them."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory
from shiboken6 import isValid

from memplanner_ui.look.focus_ring import FocusRing
from memplanner_ui.look.marks import Marks
from memplanner_ui.look.style_sheet import style_sheet
from memplanner_ui.look.tokens import CATEGORIES, Scheme, read_tokens
from memplanner_ui.look.type import interface_font, scaled

SchemeChoice = Literal["light", "dark", "system"]


class Theme(QObject):
    """Colours by name; emits ``changed`` when they change. There is one, from ``apply_theme``."""

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self.setObjectName("theme")
        self.choice: SchemeChoice = "system"
        self.scheme: Scheme = "light"
        self.high_contrast = False
        """The system asks for high contrast: categories then gain an outline in text colour."""
        self._application = application
        self._system_font = QFont(application.font())
        self._system_palette = QPalette(application.palette())
        self._colors: dict[str, QColor] = {}
        self._marks = Marks()
        self._ring = FocusRing(self)
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._follow_system)
        hints.accessibility().contrastPreferenceChanged.connect(self._follow_system)

    def color(self, name: str) -> QColor:
        """The colour called ``name``; raises ``KeyError`` for a name the tokens do not have."""
        return QColor(self._colors[name])

    def choose(self, choice: SchemeChoice) -> None:
        """Takes the light or dark scheme, or follows the system's."""
        self.choice = choice
        hints = QGuiApplication.styleHints()
        wanted = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(choice)
        hints.setColorScheme(Qt.ColorScheme.Unknown if wanted is None else wanted)
        self._take(self._system_scheme() if choice == "system" else choice)

    def _follow_system(self) -> None:
        self._take(self._system_scheme() if self.choice == "system" else self.scheme)

    @staticmethod
    def _system_scheme() -> Scheme:
        hints = QGuiApplication.styleHints()
        return "dark" if hints.colorScheme() == Qt.ColorScheme.Dark else "light"

    def _take(self, scheme: Scheme) -> None:
        preference = QGuiApplication.styleHints().accessibility().contrastPreference()
        high_contrast = preference == Qt.ContrastPreference.HighContrast
        tokens = read_tokens(scheme)
        colors = {name: QColor(value) for name, value in tokens.colors.items()}
        if high_contrast:
            colors |= system_colors(self._system_palette)
        if (colors, high_contrast) == (self._colors, self.high_contrast):
            return
        self.scheme, self.high_contrast, self._colors = scheme, high_contrast, colors
        self._application.setFont(interface_font(self._system_font))
        self._application.setPalette(palette(colors))
        self._marks.draw(colors)
        self._application.setStyleSheet(style_sheet(colors, self._marks.folder, scaled))
        self.changed.emit()

    @property
    def outline(self) -> QColor | None:
        """The outline of category fills; None where high contrast is not asked for."""
        return self.color("text") if self.high_contrast else None


def palette(colors: dict[str, QColor]) -> QPalette:
    """A ``QPalette`` whose every role is one of ``colors``."""
    roles = QPalette.ColorRole
    result = QPalette()
    for role, name in (
        (roles.Window, "window"),
        (roles.WindowText, "text"),
        (roles.Base, "base"),
        (roles.AlternateBase, "alternate"),
        (roles.Text, "text"),
        (roles.Button, "raised"),
        (roles.ButtonText, "text"),
        (roles.BrightText, "trouble"),
        (roles.ToolTipBase, "raised"),
        (roles.ToolTipText, "text"),
        (roles.PlaceholderText, "text3"),
        (roles.Highlight, "selection"),
        (roles.HighlightedText, "text"),
        (roles.Accent, "accent"),
        (roles.Link, "accent"),
        (roles.LinkVisited, "accent"),
        (roles.Light, "raised"),
        (roles.Midlight, "hairline"),
        (roles.Mid, "border"),
        (roles.Dark, "border"),
        (roles.Shadow, "border"),
    ):
        result.setColor(role, colors[name])
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, colors["text3"])
    return result


def system_colors(system: QPalette) -> dict[str, QColor]:
    """Surfaces and inks from the system's palette; categories keep their fills."""
    roles = QPalette.ColorRole
    text = system.color(roles.WindowText)
    surfaces = ("window", "panel", "raised", "hover")
    inks = ("text", "text2", "text3", "fits", "trouble", "caution", "border", "hairline")
    return {
        **dict.fromkeys(surfaces, system.color(roles.Window)),
        "base": system.color(roles.Base),
        "alternate": system.color(roles.Base),
        "selection": system.color(roles.Base),
        **dict.fromkeys(inks, text),
        "accent": system.color(roles.Highlight),
        "on_accent": system.color(roles.HighlightedText),
        "free": system.color(roles.Base),
        "on_free": text,
    }


def apply_theme(app: QApplication, scheme: SchemeChoice = "system") -> Theme:
    """The application's theme, made on the first call, with ``scheme`` taken."""
    theme = _find(app)
    if theme is None:
        style = QStyleFactory.create("Fusion")
        app.setStyle(style)
        theme = Theme(app)
    theme.choose(scheme)
    return theme


def current() -> Theme:
    """The application's theme; the system's is applied where none was yet."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise RuntimeError("a theme needs a QApplication")
    return _find(app) or apply_theme(app, "system")


_last: list[Theme] = []
"""The one that was found last: painting asks hundreds of times, and Qt would look each time."""


def _find(app: QApplication) -> Theme | None:
    if _last and isValid(_last[0]) and _last[0].parent() is app:
        return _last[0]
    found = app.findChild(Theme, "theme", Qt.FindChildOption.FindDirectChildrenOnly)
    if not isinstance(found, Theme):
        return None
    _last[:] = [found]
    return found


__all__ = ["CATEGORIES", "Scheme", "SchemeChoice", "Theme", "apply_theme", "current"]
