"""Painted things in languages that run from right to left: rows mirror, plots do not.

Qt mirrors what it lays out itself, and turns a painter's “left” round; rectangles stay as given.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPaintDevice, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

_ISOLATE, _END = "\u2066", "\u2069"
"""Unicode's marks around text that runs from left to right in text that does not."""


def mirrors() -> bool:
    """Whether the window's language runs from right to left."""
    return QGuiApplication.layoutDirection() == Qt.LayoutDirection.RightToLeft


def placed(rect: QRectF | QRect, within: QRectF | QRect) -> QRectF:
    """``rect``, said from left to right, on its own side of ``within``."""
    part = QRectF(rect)
    if mirrors():
        whole = QRectF(within)
        part.moveLeft(whole.left() + whole.right() - part.right())
    return part


def plot_painter(device: QPaintDevice) -> QPainter:
    """A painter for what has axes: sizes and times grow to the right in every language."""
    painter = QPainter(device)
    painter.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    return painter


def isolated(text: str) -> str:
    """A number with its unit, a name or a path: it runs from left to right in every language."""
    return f"{_ISOLATE}{text}{_END}" if mirrors() and text else text


def trailing() -> Qt.AlignmentFlag:
    """Where numbers stand in a label, which takes its direction from its text: the far side."""
    if mirrors():
        return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignAbsolute
    return Qt.AlignmentFlag.AlignRight


class FiguresDelegate(QStyledItemDelegate):
    """Shows what stands in cells from left to right."""

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        option.text = isolated(option.text)
