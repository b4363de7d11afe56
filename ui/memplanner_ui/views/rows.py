"""Building blocks of the side panels: headed parts, lines of words and numbers, tags."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import trailing

SIDE = 14
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ElidedLabel(QLabel):
    """One line of text that ends in “…” where there is no room; whole in the tool tip."""

    def __init__(
        self, text: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> None:
        super().__init__()
        self._whole, self._short = "", ""
        self._mode = mode
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_text(text)

    def set_text(self, text: str, short: str = "") -> None:
        """Shows ``text``, or ``short`` where it has no room; nothing anew where it is the same."""
        if (text, short) == (self._whole, self._short):
            return
        self._whole, self._short = text, short
        self.setToolTip(text)
        self.setAccessibleName(text)
        self._fit()

    @property
    def whole(self) -> str:
        """The text, whatever of it is shown."""
        return self._whole

    def resizeEvent(self, event: object) -> None:
        self._fit()

    def _fit(self) -> None:
        metrics, width = self.fontMetrics(), max(16, self.width())
        fits = not self._short or metrics.horizontalAdvance(self._whole) <= width
        text = self._whole if fits else self._short
        self.setText(metrics.elidedText(text, self._mode, width))


class ShrinkingLabel(ElidedLabel):
    """One line that takes the width of its text where there is room, and less where there is not.

    Its end is cut off only then; the tool tip has the whole.
    """

    _LEAST = 24

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, hint.height())

    def set_text(self, text: str, short: str = "") -> None:
        if (text, short) != (self._whole, self._short):
            super().set_text(text, short)
            self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        return QSize(self._LEAST, super().minimumSizeHint().height())


def label(text: str, role: fonts.Role = "body", ink: str = "", *, wrap: bool = False) -> QLabel:
    """A label in the font of ``role``; ``ink`` is ``secondary``, ``faint``, ``caution``, …"""
    if wrap:  # a line may end at a thin space, in the middle of a number
        text = text.replace("\N{THIN SPACE}", "\N{NARROW NO-BREAK SPACE}")
    result = QLabel(text)
    result.setFont(fonts.font(role))
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setWordWrap(wrap)
    if ink:
        result.setProperty("ink", ink)
    return result


def number(text: str, ink: str = "", *, strong: bool = False) -> QLabel:
    """A label for a number, at the right edge."""
    result = label(text, "body", ink)
    if strong:
        result.setFont(fonts.semibold("body"))
    result.setAlignment(trailing() | Qt.AlignmentFlag.AlignVCenter)
    return result


def tag(text: str, kind: str = "plain") -> QLabel:
    """A small word on a ground of its own: ``plain``, ``accent`` or ``trouble``."""
    result = label(text, "axis")
    result.setProperty("tag", kind)
    result.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
    return result


def hairline() -> QFrame:
    """The line between two parts of a panel."""
    line = QFrame()
    line.setProperty("line", "hairline")
    return line


class Part(QWidget):
    """A part of a panel: a heading with what stands at its right, then rows."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(SIDE, 10, SIDE, 10)
        self._layout.setSpacing(6)
        self.right = number("", "secondary")
        self.right.setParent(self)
        self.right.setVisible(bool(title))
        if title:
            row = QHBoxLayout()
            heading = label(title, "heading", "secondary")
            row.addWidget(heading)
            row.addStretch(1)
            row.addWidget(self.right)
            self._layout.addLayout(row)
        self.setAccessibleName(title)

    def add(self, widget: QWidget) -> None:
        """Adds a row."""
        self._layout.addWidget(widget)

    def add_before(self, next_one: QWidget, widget: QWidget) -> None:
        """Adds a row before another."""
        self._layout.insertWidget(self._layout.indexOf(next_one), widget)

    def add_pair(self, name: str, value: str = "") -> QLabel:
        """Adds a row of a name and its value; the value's label, to change it."""
        row = QHBoxLayout()
        row.setSpacing(8)
        shown = number(value)
        shown.setAccessibleName(name)
        row.addWidget(label(name, "body", "secondary"))
        row.addWidget(shown, 1)
        self._layout.addLayout(row)
        return shown

    def add_grid(self, rows: list[tuple[QWidget, ...]], stretch: int = 0) -> None:
        """Adds rows whose columns line up; column ``stretch`` takes the room that is left."""
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(stretch, 1)
        for y, cells in enumerate(rows):
            for x, cell in enumerate(cells):
                grid.addWidget(cell, y, x)
        self._layout.addLayout(grid)


class Panel(QScrollArea):
    """A side panel that scrolls: parts below each other with hairlines between them."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._clear_body()

    def _clear_body(self) -> None:
        body = QWidget()
        body.setProperty("surface", "panel")
        body.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._parts = QVBoxLayout(body)
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(0)
        self._parts.addStretch(1)
        self.setWidget(body)

    def clear_parts(self) -> None:
        """Removes every part."""
        self._clear_body()

    def add_part(self, part: QWidget) -> None:
        """Adds a part at the end."""
        place = self._parts.count() - 1
        if place:
            self._parts.insertWidget(place, hairline())
            place += 1
        self._parts.insertWidget(place, part)

    def show_part(self, part: QWidget, shown: bool) -> None:
        """Shows or hides a part, and the hairline above it."""
        part.setVisible(shown)
        above = self._parts.itemAt(self._parts.indexOf(part) - 1)
        line = None if above is None else above.widget()
        if line is not None:
            line.setVisible(shown)
