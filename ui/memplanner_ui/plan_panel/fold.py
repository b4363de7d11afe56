"""A header that folds what is below it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QVBoxLayout, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import icons, motion, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, mirrors, placed
from memplanner_ui.plan_panel.badge import INK, Effect

RIGHT = 6
"""Of every row of the form, beside a scroll bar that is always there."""
_ARROW = 14.0
_LARGEST = 16_777_215


class FoldHeader(QAbstractButton):
    """Arrow, title and value now. Space turns it; Left folds, Right unfolds."""

    fold = Signal(bool)
    """Asks to fold (True) or unfold."""

    def __init__(self, title: str, *, level: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level = level
        self._value = ""
        self._explanation = ""
        self._offer: Effect | None = None
        self._offer_dimmed = False
        self.folded = False
        self.setText(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.clicked.connect(lambda: self.fold.emit(not self.folded))
        theme.current().changed.connect(self.update)
        self._name()

    def explain(self, explanation: str) -> None:
        """What the tool tip says, before the value as it is now."""
        self._explanation = explanation
        self.setAccessibleDescription(explanation)
        self._tip()

    def _tip(self) -> None:
        value = f"{self.text()}: {self._value}" if self._value else ""
        self.setToolTip("\n".join(filter(None, (self._explanation, value))))

    def set_value(self, value: str) -> None:
        """The value now, shown beside the title."""
        if value != self._value:
            self._value = value
            self._name()
            self._tip()
            self.update()

    def set_offer(self, offer: Effect | None, *, dimmed: bool = False) -> None:
        """The best effect that something inside offers, shown while it is folded."""
        if (offer, dimmed) != (self._offer, self._offer_dimmed):
            self._offer, self._offer_dimmed = offer, dimmed
            self._name()
            self.update()

    @property
    def offer(self) -> Effect | None:
        """The best effect that something inside offers."""
        return self._offer

    def set_folded(self, folded: bool) -> None:
        """Turns the arrow."""
        self.folded = folded
        self._name()
        self.update()

    def _name(self) -> None:
        state = translate("Plan panel", "open")
        if self.folded:
            state = translate("Plan panel", "folded")
        offer = (
            ""
            if self._offer is None or not self.folded
            else translate("Plan panel", "offers {spoken}").format(spoken=self._offer.spoken)
        )
        self.setAccessibleName(", ".join(filter(None, (self.text(), self._value, state, offer))))

    def sizeHint(self) -> QSize:
        return QSize(200, fonts.scaled(30 if self._level == 0 else 25))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        inward, outward = Qt.Key.Key_Left, Qt.Key.Key_Right
        if mirrors():
            inward, outward = outward, inward
        if event.key() == inward and not self.folded:
            self.fold.emit(True)
        elif event.key() == outward and self.folded:
            self.fold.emit(False)
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        if self.underMouse() and self.isEnabled():
            painter.fillRect(self.rect(), colors.color("hover"))
        left = 7.0 if self._level == 0 else 24.0
        middle = self.height() / 2
        whole = self.rect()
        arrow = ("left" if mirrors() else "right") if self.folded else "down"
        area = QRectF(left, middle - _ARROW / 2, _ARROW, _ARROW)
        icons.paint(painter, arrow, placed(area, whole), colors.color("text2"))
        left += _ARROW + 5
        font = fonts.font("heading" if self._level == 0 else "body")
        painter.setFont(font)
        painter.setPen(colors.color("text"))
        width = QFontMetrics(font).horizontalAdvance(self.text())
        flags = int(Qt.AlignmentFlag.AlignVCenter)
        title = QRectF(left, 0, width + 2, self.height())
        painter.drawText(placed(title, whole), flags, self.text())
        right = self.width() - float(RIGHT)
        if self.folded and self._offer is not None:
            right = self._paint_offer(painter, self._offer, left + width + 8, right)
        if self.folded and self._value:
            left += width + 8
            font = fonts.font("secondary")
            painter.setFont(font)
            painter.setPen(colors.color("text2"))
            room = int(right - left - 8)
            shown = QFontMetrics(font).elidedText(self._value, Qt.TextElideMode.ElideRight, room)
            value = QRectF(left, 0, room, self.height())
            painter.drawText(placed(value, whole), flags, isolated(shown))
        painter.end()

    def _paint_offer(self, painter: QPainter, offer: Effect, left: float, right: float) -> float:
        """Paints the offer at the right edge, where there is room for it; where it begins."""
        sizes = offer.size_bytes is not None
        font = fonts.semibold("secondary") if sizes else fonts.font("secondary")
        width = QFontMetrics(font).horizontalAdvance(offer.memory) + 2
        if right - width < left:
            return right
        ink = "text3" if self._offer_dimmed else INK[offer.tone]
        painter.setFont(font)
        painter.setPen(theme.current().color(ink))
        area = placed(QRectF(right - width, 0, width, self.height()), self.rect())
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter),
                         isolated(offer.memory))  # fmt: skip
        return right - width


class Fold(QWidget):
    """A header and the body it folds."""

    folded_changed = Signal(bool)

    def __init__(self, title: str, *, level: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.header = FoldHeader(title, level=level)
        self.body = QWidget()
        self._rows = QVBoxLayout(self.body)
        self._rows.setContentsMargins(0, 0, 0, 8 if level == 0 else 2)
        self._rows.setSpacing(0)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.header)
        whole.addWidget(self.body)
        self.header.fold.connect(self.set_folded)
        self._motion = motion.run_to_end(self, motion.FOLD_MILLISECONDS)
        self._motion.valueChanged.connect(self._move)
        self._motion.finished.connect(self._arrive)

    @property
    def folded(self) -> bool:
        """Whether the body is folded away."""
        return self.header.folded

    def add(self, row: QWidget) -> None:
        """Adds a row to the body."""
        self._rows.addWidget(row)

    def set_folded(self, folded: bool, *, at_once: bool = False) -> None:
        """Folds or unfolds the body."""
        if folded == self.header.folded:
            return
        self.header.set_folded(folded)
        self._motion.stop()
        if at_once or motion.reduced() or not self.isVisible():
            self._arrive()
        else:
            forward, backward = (
                QVariantAnimation.Direction.Forward,
                QVariantAnimation.Direction.Backward,
            )
            self._motion.setDirection(backward if folded else forward)
            self.body.setMaximumHeight(self.body.height() if folded else 0)
            self.body.show()
            self._motion.start()
        self.folded_changed.emit(folded)

    def _move(self, share: float) -> None:
        self.body.setMaximumHeight(round(share * self.body.sizeHint().height()))

    def _arrive(self) -> None:
        self.body.setVisible(not self.header.folded)
        self.body.setMaximumHeight(_LARGEST)
