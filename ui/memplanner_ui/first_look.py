"""How the window looks before its parts are there: its place and its colours, as last left.

Read without what the settings are checked with, which takes longer to import than this window may
take to appear; whatever makes no sense here is left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette

from memplanner_ui.look.tokens import Scheme, read_tokens

_LARGEST_BYTES = 2**25
"""As ``settings_reading`` has it."""


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What is remembered of it."""

    scheme: str = "system"
    geometry: QByteArray | None = None


def settings_path() -> Path:
    """Where this user's settings are kept."""
    return Path(platformdirs.user_config_dir("memplanner", appauthor=False)) / "window.json"


def remembered(path: Path) -> FirstLook:
    """Read from the settings' file; the first look where it cannot be."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return FirstLook()
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return FirstLook()  # the settings say why
    if not isinstance(values, dict):
        return FirstLook()
    scheme, geometry = values.get("scheme"), values.get("geometry")
    place = None
    if isinstance(geometry, str) and geometry.isascii():
        place = QByteArray.fromBase64(geometry.encode())
    return FirstLook(scheme if scheme in ("light", "dark") else "system", place)


def first_palette(choice: str) -> QPalette:
    """Background and ink of a scheme; ``system`` asks the system which."""
    dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    scheme: Scheme = "dark" if choice == "dark" or (choice == "system" and dark) else "light"
    tokens = read_tokens(scheme)
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Window, QColor(tokens.surfaces["window"]))
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor(tokens.inks["text3"]))
    return palette
