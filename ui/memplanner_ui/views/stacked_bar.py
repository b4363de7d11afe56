"""The stacked bar: one painter for tree rows, panels and cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.look import hatch, theme
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.views.parts import PARTS, lower, title_of

HEIGHT = 12
GAP = 1.0


@dataclass(frozen=True, slots=True)
class Paints:
    """The colours of the parts, looked up once for many bars."""

    fills: tuple[QColor, ...]
    line: QColor
    """Of the hatch of other processes."""
    outline: QColor | None

    @classmethod
    def current(cls) -> Paints:
        """Those of the theme in use."""
        colors = theme.current()
        line = QColor(colors.color("on_other"))
        line.setAlphaF(0.45)
        return cls(tuple(colors.color(name) for name in PARTS), line, colors.outline)


def edges(values: Sequence[int], full: int, left: float, width: float, scale: float) -> list[float]:
    """The x of each boundary between ``values``, snapped to device pixels of ``scale`` each."""
    result = [left]
    passed = 0
    for value in values:
        passed += value
        x = left + (passed / full * width if full else 0.0)
        result.append(max(left, round(x * scale) / scale))  # where ``left`` is itself between two
    return result


def paint(
    painter: QPainter, area: QRectF, values: Sequence[int], full: int, paints: Paints
) -> None:
    """Paints ``values`` (bytes by ``PARTS``) into ``area``, whose width stands for ``full``."""
    device = painter.device()
    scale = device.devicePixelRatio() if device is not None else 1.0
    boundaries = edges(values, full, area.left(), area.width(), scale)
    gap = GAP / scale if scale > 1 else GAP
    hatched = len(PARTS) - 1
    for index, value in enumerate(values):
        left, right = boundaries[index], boundaries[index + 1]
        if not value or right <= left:
            continue
        # A gap only where it leaves something of the segment, and none before nothing.
        if right - left > 2 * gap and any(values[index + 1 :]):
            right -= gap
        segment = QRectF(left, area.top(), right - left, area.height())
        if index == hatched:
            hatch.fill(painter, segment, paints.fills[index], paints.line)
        else:
            painter.fillRect(segment, paints.fills[index])
        if paints.outline is not None:
            painter.setPen(QPen(paints.outline, 1))
            painter.drawRect(segment.adjusted(0.5, 0.5, -0.5, -0.5))


def words(values: Sequence[int]) -> str:
    """The bar's text alternative: ``parameters 15.0 GiB, gradients 15.0 GiB``."""
    named = zip(PARTS, values, strict=True)
    return ", ".join(
        f"{lower(title_of(name))} {format_bytes(size)}" for name, size in named if size
    )


class StackedBar(QWidget):
    """A stacked bar as a widget of its own, full width for its total or for ``full``."""

    def __init__(self, parent: QWidget | None = None, height: int = 14) -> None:
        super().__init__(parent)
        self._values: tuple[int, ...] = ()
        self._full = 0
        self._height = height
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Views", "Bytes by category"))
        theme.current().changed.connect(self.update)

    def set_values(self, values: Sequence[int], full: int | None = None) -> None:
        """Shows ``values`` (bytes by ``PARTS``) in a bar that stands for ``full`` bytes."""
        self._values = tuple(values)
        self._full = sum(values) if full is None else full
        text = words(self._values) if self._values else ""
        self.setAccessibleDescription(text or translate("Views", "nothing"))
        self.setToolTip(text)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, self._height)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = plot_painter(self)
        if self._values:
            paint(painter, QRectF(self.rect()), self._values, self._full, Paints.current())
        painter.end()
