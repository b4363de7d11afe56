"""The few marks a style sheet needs as files (ticks, dots, arrows), in the theme's colours."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTemporaryDir
from PySide6.QtGui import QColor

_TICK = "M3.6 8.3 6.7 11.3 12.4 4.9"
_DOWN = "M4.5 6.4 8 9.9 11.5 6.4"
_UP = "M4.5 9.9 8 6.4 11.5 9.9"
_RIGHT = "M6.2 4.5 9.7 8 6.2 11.5"
_CROSS = "M4.2 4.2 11.8 11.8M11.8 4.2 4.2 11.8"
_DASH = "M4 8H12"

_STROKES = {
    "tick": (_TICK, "on_accent", 2.0),
    "dash": (_DASH, "on_accent", 2.0),
    "down": (_DOWN, "text2", 1.35),
    "down_disabled": (_DOWN, "border", 1.35),
    "up": (_UP, "text2", 1.35),
    "up_disabled": (_UP, "border", 1.35),
    "right": (_RIGHT, "text2", 1.35),
    "cross": (_CROSS, "text2", 1.35),
}


class Marks:
    """A temporary folder of coloured SVG files, gone with the application."""

    def __init__(self) -> None:
        self._directory = QTemporaryDir()
        self._version = 0
        self.folder = ""

    def draw(self, colors: dict[str, QColor]) -> None:
        """Writes the marks in ``colors`` to a new subfolder, since Qt caches images by path."""
        self._version += 1
        folder = Path(self._directory.path()) / str(self._version)
        folder.mkdir()
        for name, (path, color, width) in _STROKES.items():
            body = (
                f'<path d="{path}" fill="none" stroke="{colors[color].name()}" '
                f'stroke-width="{width}" stroke-linecap="round" stroke-linejoin="round"/>'
            )
            _write(folder / f"{name}.svg", body)
        dot = f'<circle cx="8" cy="8" r="3" fill="{colors["on_accent"].name()}"/>'
        _write(folder / "dot.svg", dot)
        self.folder = folder.as_posix()


def _write(path: Path, body: str) -> None:
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">{body}'
        "</svg>",
        encoding="utf-8",
    )
