"""The plots of a quality report: each layer's output error, and sizes before and after."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from memplanner.messages.run import LayerQuality
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter

_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_ROW = 15.0
_BAR = 4


def error_words(error: float) -> str:
    """An error in per cent, with as many places as it needs: ``8.3 %``, ``0.04 %``."""
    places = 1 if error >= 0.001 or error == 0 else 2
    return f"{error * 100:.{places}f} %"


class ErrorBars(QWidget):
    """One bar a layer in the model's order, from 0; the arrow keys go through them."""

    layer_chosen = Signal(str)
    """A bar was clicked, or Enter pressed on it: the layer's name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: tuple[LayerQuality, ...] = ()
        self._at = -1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(translate("Views", "Output error of each layer"))
        theme.current().changed.connect(self.update)

    @property
    def at(self) -> LayerQuality | None:
        """The layer that the pointer or the keys are at."""
        return self._layers[self._at] if 0 <= self._at < len(self._layers) else None

    def set_layers(self, layers: Sequence[LayerQuality]) -> None:
        """Shows the errors of ``layers``."""
        self._layers, self._at = tuple(layers), -1
        words = translate("Views", "no layer kept its shape")
        if layers:
            largest = max(layers, key=lambda layer: layer.output_error)
            words = translate("Views", "{count} layers, the largest {largest}").format(
                count=len(layers), largest=_spoken(largest)
            )
        self.setAccessibleDescription(words)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, fonts.scaled(96))

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(2, _ROW + 2, -2, -_ROW - 2)

    def _go_to(self, place: int) -> None:
        self._at = min(max(place, -1), len(self._layers) - 1)
        layer = self.at
        self.setToolTip("" if layer is None else f"{layer.name}: {error_words(layer.output_error)}")
        if layer is not None:
            self.setAccessibleDescription(_spoken(layer))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        area = self._area()
        share = (event.position().x() - area.left()) / max(area.width(), 1)
        self._go_to(int(share * len(self._layers)) if 0 <= share < 1 else -1)

    def leaveEvent(self, event: QEvent) -> None:
        self._go_to(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.mouseMoveEvent(event)
        self._choose()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        last = len(self._layers) - 1
        match event.key():
            case Qt.Key.Key_Right:
                self._go_to(min(self._at + step, last))
            case Qt.Key.Key_Left:
                self._go_to(max(self._at - step, 0))
            case Qt.Key.Key_Home:
                self._go_to(0)
            case Qt.Key.Key_End:
                self._go_to(last)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self._choose()
            case _:
                super().keyPressEvent(event)

    def _choose(self) -> None:
        if self.at is not None:
            self.layer_chosen.emit(self.at.name)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and self.toolTip():
            QToolTip.showText(event.globalPos(), self.toolTip(), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = plot_painter(self), theme.current()
        painter.setFont(fonts.font("axis"))
        area, layers = self._area(), self._layers
        painter.setPen(QPen(colors.color("hairline"), 1))
        for y in (area.top(), area.bottom()):
            painter.drawLine(QPointF(0, round(y) + 0.5), QPointF(self.width(), round(y) + 0.5))
        high = max((layer.output_error for layer in layers), default=0.0)
        if high > 0:
            width = area.width() / len(layers)
            gap = 1.0 if width >= 3 else 0.0
            for place, layer in enumerate(layers):
                height = max(1.0, layer.output_error / high * area.height())
                left = area.left() + place * width
                bar = QRectF(left, area.bottom() - height, max(width - gap, 1.0), height)
                ink = "text" if place == self._at else "accent"
                painter.fillRect(bar, colors.color(ink))
        above = QRectF(0, 0, self.width(), _ROW)
        painter.setPen(colors.color("text2"))
        pointed = self.at
        value = error_words(high if pointed is None else pointed.output_error)
        room = int(self.width() - painter.fontMetrics().horizontalAdvance(value) - 8)
        name = "highest" if pointed is None else pointed.name
        shown = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideLeft, room)
        painter.drawText(above, _LEFT, shown)
        painter.drawText(above, _RIGHT, value)
        below = QRectF(0, self.height() - _ROW, self.width(), _ROW)
        painter.drawText(below, _LEFT, translate("Views", "first layer"))
        painter.drawText(
            below, _RIGHT, translate("Views", "last of {count}").format(count=len(layers))
        )
        painter.end()


class BeforeAfter(QWidget):
    """Two bars from 0 below each other: before, in the ink of text, and after, in the accent."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: tuple[float | None, float | None] = (None, None)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        theme.current().changed.connect(self.update)

    def set_values(self, before: float | None, after: float | None) -> None:
        """Shows the two; nothing where one is not known."""
        self._values = before, after
        self.setVisible(before is not None and after is not None and max(before, after) > 0)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, fonts.scaled(2 * _BAR + 3))

    def paintEvent(self, event: QPaintEvent) -> None:
        before, after = self._values
        if before is None or after is None:
            return
        painter, colors = plot_painter(self), theme.current()
        high, bar = max(before, after), (self.height() - 2) / 2
        for place, (value, ink) in enumerate(((before, "text3"), (after, "accent"))):
            width = value / high * self.width() if high else 0
            painter.fillRect(QRectF(0, place * (bar + 1), width, bar), colors.color(ink))
        painter.end()


def _spoken(layer: LayerQuality) -> str:
    return translate("Views", "{name}, {output_error:.2g} percent").format(
        name=layer.name, output_error=layer.output_error * 100
    )
