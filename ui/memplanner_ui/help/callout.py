"""A note that points at a part of the window: words, buttons, and a ring around what it is about.

It lies over the window without taking anything from it: what is around it works as always.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import label

WIDTH = 320
_TIP = 9
"""Pixels from the frame to the end of the pointer."""
_EDGE = 8
"""Pixels that stay free at the window's edges."""
_RING = 2


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a note lies in the window, and at which point of its frame it points."""

    area: QRect
    tip: QPoint


def place(target: QRect, size: QSize, room: QRect) -> Spot:
    """Below ``target`` where ``room`` allows, else above it, else at its right, else its left.

    Always inside ``room``; where nothing is free, over the target's lower part.
    """

    def along(center: int, length: int, first: int, last: int) -> int:
        return max(first + _EDGE, min(center - length // 2, last - _EDGE - length))

    center = target.center()
    x = along(center.x(), size.width(), room.left(), room.right())
    y = along(center.y(), size.height(), room.top(), room.bottom())
    below, above = target.bottom() + _TIP, target.top() - _TIP - size.height()
    right, left = target.right() + _TIP, target.left() - _TIP - size.width()
    tip_x = max(x + 2 * _TIP, min(center.x(), x + size.width() - 2 * _TIP))
    tip_y = max(y + 2 * _TIP, min(center.y(), y + size.height() - 2 * _TIP))
    if below + size.height() <= room.bottom() - _EDGE:
        return Spot(QRect(QPoint(x, below), size), QPoint(tip_x, target.bottom() + 1))
    if above >= room.top() + _EDGE:
        return Spot(QRect(QPoint(x, above), size), QPoint(tip_x, target.top()))
    if right + size.width() <= room.right() - _EDGE:
        return Spot(QRect(QPoint(right, y), size), QPoint(target.right() + 1, tip_y))
    if left >= room.left() + _EDGE:
        return Spot(QRect(QPoint(left, y), size), QPoint(target.left(), tip_y))
    top = room.bottom() - _EDGE - size.height()
    return Spot(QRect(QPoint(x, top), size), QPoint(tip_x, top))


class Callout(QWidget):
    """One note at a time. Stays at its target while the window changes its size."""

    next_wanted = Signal()
    skip_wanted = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._target: QWidget | None = None
        self._focus_before: QWidget | None = None
        self._tip = QPoint()
        self._ring = _Ring(window)
        self.heading = label("", "heading")
        self.words = label("", "body", wrap=True)
        self.count = label("", "secondary", "faint")
        self.skip = QPushButton(translate("Help", "Skip the tour"))
        self.next = QPushButton(translate("Help", "Next"))
        self.next.setProperty("primary", True)
        for button in (self.skip, self.next):
            button.setProperty("small", True)
        self.next.clicked.connect(self.next_wanted)
        self.skip.clicked.connect(self.skip_wanted)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.count, 1)
        foot.addWidget(self.skip)
        foot.addWidget(self.next)
        column = QVBoxLayout(self)
        column.setContentsMargins(_TIP + 14, _TIP + 11, _TIP + 14, _TIP + 12)
        column.setSpacing(8)
        column.addWidget(self.heading)
        column.addWidget(self.words)
        column.addLayout(foot)
        self.hide()
        window.installEventFilter(self)
        theme.current().changed.connect(self.update)

    def show_at(self, target: QWidget, heading: str, words: str, count: str, last: bool) -> None:
        """Points at ``target`` and takes the focus."""
        self._leave()
        if self.isHidden():
            self._focus_before = self._window.focusWidget()
        self._target = target
        target.installEventFilter(self)
        self.heading.setText(heading)
        self.words.setText(words)
        self.count.setText(count)
        self.next.setText(translate("Help", "Done") if last else translate("Help", "Next"))
        self.skip.setVisible(not last)
        self.setAccessibleName(f"{count}: {heading}")
        self.setAccessibleDescription(words)
        self.show()
        self._ring.show()
        self.follow()
        self.next.setFocus(Qt.FocusReason.OtherFocusReason)

    def close_note(self) -> None:
        """Takes the note away, and gives the focus back to what had it."""
        self._leave()
        before, self._focus_before = self._focus_before, None
        if self.isAncestorOf(self._window.focusWidget() or self._window):
            if before is None or not before.isVisible():
                before = self._window  # else Qt would put it on some button
            before.setFocus(Qt.FocusReason.OtherFocusReason)
        self.hide()
        self._ring.hide()

    def _leave(self) -> None:
        if self._target is not None:
            self._target.removeEventFilter(self)
            self._target = None

    @property
    def target(self) -> QWidget | None:
        """What is pointed at."""
        return self._target

    def target_area(self) -> QRect:
        """Where the target is in the window."""
        target = self._target
        if target is None:
            return QRect()
        return QRect(target.mapTo(self._window, QPoint(0, 0)), target.size())

    def follow(self) -> None:
        """Goes to where the target is now."""
        if self._target is None:
            return
        area, room = self.target_area(), self._window.rect()
        width = min(fonts.scaled(WIDTH), room.width() - 2 * _EDGE)
        layout = self.layout()
        height = self.sizeHint().height() if layout is None else layout.heightForWidth(width)
        frame = QSize(width, height) - QSize(2 * _TIP, 2 * _TIP)
        spot = place(area, frame, room)
        self._tip = spot.tip
        self.setGeometry(spot.area.adjusted(-_TIP, -_TIP, _TIP, _TIP))
        self._ring.setGeometry(area.intersected(room))
        self._ring.raise_()
        self.raise_()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        moved = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.LayoutRequest)
        if self.isVisible() and kind in moved:
            self.follow()
        elif watched is self._target and kind == QEvent.Type.Hide:
            self.skip_wanted.emit()  # what it is about is gone
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.skip_wanted.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.next_wanted.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.color("accent"), 1))
        painter.setBrush(colors.color("raised"))
        frame = (
            QRectF(self.rect()).adjusted(_TIP, _TIP, -_TIP, -_TIP).adjusted(0.5, 0.5, -0.5, -0.5)
        )
        shape = QPainterPath()
        shape.addRoundedRect(frame, 7, 7)
        painter.drawPath(shape.united(_pointer(frame, QPointF(self.mapFromParent(self._tip)))))
        painter.end()


def _pointer(frame: QRectF, tip: QPointF) -> QPainterPath:
    """A triangle from the nearest side of ``frame`` to ``tip``; nothing where it is inside."""
    path = QPainterPath()
    x = max(frame.left() + 2 * _TIP, min(tip.x(), frame.right() - 2 * _TIP))
    y = max(frame.top() + 2 * _TIP, min(tip.y(), frame.bottom() - 2 * _TIP))
    if tip.y() <= frame.top() or tip.y() >= frame.bottom():
        side = frame.top() + 1 if tip.y() <= frame.top() else frame.bottom() - 1
        corners = (QPointF(x - _TIP, side), QPointF(x + _TIP, side))
    elif tip.x() <= frame.left() or tip.x() >= frame.right():
        side = frame.left() + 1 if tip.x() <= frame.left() else frame.right() - 1
        corners = (QPointF(side, y - _TIP), QPointF(side, y + _TIP))
    else:
        return path
    path.moveTo(corners[0])
    path.lineTo(tip)
    path.lineTo(corners[1])
    path.closeSubpath()
    return path


class _Ring(QWidget):
    """Frames what a note is about, and takes no events."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.current().color("accent"), _RING))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 5, 5)
        painter.end()
