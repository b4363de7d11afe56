"""Words in as many lines as there are: broken where the language breaks, cut at the end."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetricsF, QTextLayout


def in_lines(text: str, font: QFont, width: float, most: int) -> list[str]:
    """``text`` in at most ``most`` lines of ``width`` pixels; the last ends in “…” where it is cut.

    No line where there are no words.
    """
    layout = QTextLayout(text, font)
    layout.beginLayout()
    starts = []
    while (line := layout.createLine()).isValid():
        line.setLineWidth(max(1.0, width))
        starts.append(line.textStart())
    layout.endLayout()
    ends = [*starts[1:most], len(text)]
    lines = [text[start:end].strip() for start, end in zip(starts, ends, strict=False)]
    if not text or not lines:
        return []
    last = QFontMetricsF(font).elidedText(lines[-1], Qt.TextElideMode.ElideRight, width)
    return [*lines[:-1], last]


def parts_in_lines(text: str, font: QFont, width: float, most: int) -> list[str]:
    """The same, broken after commas alone wherever that is enough."""
    room, lines = QFontMetricsF(font).horizontalAdvance, [""]
    for part in text.split(", "):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        if lines[-1] and room(f"{joined},") > width:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = joined
    whole = len(lines) <= most and all(room(line) <= width for line in lines)
    return lines if whole else in_lines(text, font, width, most)
