"""The focus ring: 2 px of accent, 1 px outside whatever has the focus. Never removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QWidget
from shiboken6 import isValid

if TYPE_CHECKING:
    from memplanner_ui.look.theme import Theme

GAP = 1
WIDTH = 2
_MARGIN = GAP + WIDTH
_RADIUS = 7.0


class _Ring(QWidget):
    """The painted ring: lies over the focused widget's parent and takes no events."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("focusRing")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("accent"), WIDTH))
        half = WIDTH / 2
        area = QRectF(self.rect()).adjusted(half, half, -half, -half)
        painter.drawRoundedRect(area, _RADIUS, _RADIUS)
        painter.end()


class FocusRing(QObject):
    """Moves a ring to the widget that has the focus, in whichever window that is."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._theme = theme
        self._ring: _Ring | None = None
        self._target: QWidget | None = None
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)

    def _focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        self._leave()
        if new is None or new.isWindow() or new.property("ownFocusRing"):
            return
        parent = new.parentWidget()
        if parent is None:
            return
        self._target = new
        ring = self._ring = _Ring(self._theme, parent)
        ring.destroyed.connect(self._forget)
        new.installEventFilter(self)
        self._place()

    def _forget(self) -> None:
        self._ring = None

    def _leave(self) -> None:
        if self._target is not None:
            if isValid(self._target):  # it may just be deleted with the focus
                self._target.removeEventFilter(self)
            self._target = None
        if self._ring is not None:
            ring, self._ring = self._ring, None
            ring.destroyed.disconnect(self._forget)
            ring.hide()
            ring.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if watched is self._target:
            if kind in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide):
                self._place()
            elif kind in (QEvent.Type.Destroy, QEvent.Type.ParentChange):
                self._leave()
        return False

    def _place(self) -> None:
        if self._ring is None or self._target is None:
            return
        area = ring_rectangle(self._target)
        self._ring.setGeometry(area)
        self._ring.setVisible(self._target.isVisible())
        self._ring.raise_()


def ring_rectangle(widget: QWidget) -> QRect:
    """Where the ring of ``widget`` lies in its parent; on the edge of what scrolls."""
    area = QRect(widget.geometry().topLeft(), widget.size())
    parent = widget.parentWidget()
    grown = area.adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)
    if parent is None or isinstance(widget, QAbstractScrollArea):
        return area
    return grown.intersected(QRect(QPoint(0, 0), parent.size()))
