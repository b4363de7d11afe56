"""What went wrong and the fix, at the top of a view instead of a message box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed

Kind = Literal["info", "caution", "trouble"]

_ICONS: dict[Kind, str] = {"info": "info", "caution": "may_not_fit", "trouble": "trouble"}
_INKS: dict[Kind, str] = {"info": "accent", "caution": "caution", "trouble": "trouble"}
_RADIUS = 7.0
_EDGE = 4.0
_TEXT_LEFT = 54
_LEAST = 96
"""What is left of a notice where the window is low; the rest is scrolled to."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A way out: what it is, its effect (may be empty), its button's text and what that does.

    A second line of ``text`` is shown below the first, smaller.
    """

    text: str
    effect: str
    button: str
    callback: Callable[[], object]


class NoticeBar(QWidget):
    """One notice at a time, hidden while there is none. Stays until dismissed or cleared."""

    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind: Kind = "info"
        self._card: QWidget | None = None
        self._room = _Room()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 10)
        layout.addWidget(self._room)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setAccessibleName(translate("Views", "Notice"))
        self.hide()
        theme.current().changed.connect(self.update)

    def show_notice(
        self, kind: Kind, what: str, meaning: str = "", fixes: Sequence[Fix] = ()
    ) -> None:
        """Shows what happened, what it means, and the ways out; replaces the notice before."""
        self._remove()
        self._kind = kind
        self._card = self._build(what, meaning, fixes)
        self._room.show_card(self._card)
        self.setAccessibleDescription(" ".join(part for part in (what, meaning) if part))
        self.show()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def clear(self) -> None:
        """Removes the notice."""
        self._remove()
        self.hide()

    @property
    def text(self) -> str:
        """What the notice says; empty while there is none."""
        return self.accessibleDescription() if self._card is not None else ""

    def _remove(self) -> None:
        if self._card is not None:
            self._room.takeWidget()
            self._card.hide()
            self._card.deleteLater()
            self._card = None
        self.setAccessibleDescription("")

    def dismiss(self) -> None:
        """Removes the notice because the user wants it gone; emits ``dismissed``."""
        self.clear()
        self.dismissed.emit()

    def _build(self, what: str, meaning: str, fixes: Sequence[Fix]) -> QWidget:
        card = _Card(self._kind)
        rows = QVBoxLayout(card)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(self._head(what, meaning))
        for place, fix in enumerate(fixes):
            line = QFrame()
            line.setProperty("line", "hairline")
            rows.addWidget(line)
            rows.addLayout(self._row(fix, primary=place == 0))
        return card

    def _head(self, what: str, meaning: str) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setContentsMargins(_TEXT_LEFT, 12, 12, 12)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(_label(what, "notice"))
        if meaning:
            words.addWidget(_label(meaning, "body", "secondary"))
        close = QToolButton()
        icons.set_icon(close, "close", "text2")
        close.setAccessibleName(translate("Views", "Dismiss the notice"))
        close.setToolTip(translate("Views", "Dismiss (Esc)"))
        close.setMinimumSize(24, 24)
        close.clicked.connect(self.dismiss)
        head.addLayout(words, 1)
        head.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        return head

    def _row(self, fix: Fix, *, primary: bool) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(17, 8, 14, 8)
        row.setSpacing(12)
        first, _, second = fix.text.partition("\n")
        words = QVBoxLayout()
        words.setSpacing(1)
        title = _label(first, "body")
        font = fonts.font("body")
        font.setWeight(font.Weight.Medium)
        title.setFont(font)
        words.addWidget(title)
        if second:
            words.addWidget(_label(second, "secondary", "secondary"))
        row.addLayout(words, 1)
        if fix.effect:
            row.addWidget(_effect(fix.effect))
        button = QPushButton(fix.button)
        button.setProperty("small", True)
        button.setProperty("primary", primary)
        button.setMinimumWidth(96)
        button.setAccessibleName(f"{fix.button}: {first}")
        button.setAccessibleDescription(fix.effect)
        button.clicked.connect(lambda: fix.callback())
        row.addWidget(button)
        return row

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._card is not None:
            self.dismiss()
            event.accept()
            return
        super().keyPressEvent(event)


class _Room(QScrollArea):
    """As high as its card where there is room, and never so low that its words are cut."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.viewport().setAutoFillBackground(False)

    def show_card(self, card: QWidget) -> None:
        """Holds a card instead of the one before."""
        card.setAutoFillBackground(False)
        self.setWidget(card)
        card.show()
        self.updateGeometry()

    def _needed(self) -> int:
        card = self.widget()
        if card is None:
            return 0
        width = self.width()
        return card.heightForWidth(width) if card.hasHeightForWidth() else card.sizeHint().height()

    def sizeHint(self) -> QSize:
        card = self.widget()
        return QSize(0 if card is None else card.sizeHint().width(), self._needed())

    def minimumSizeHint(self) -> QSize:
        card = self.widget()
        width = 0 if card is None else card.minimumSizeHint().width()
        return QSize(width, min(self._needed(), fonts.scaled(_LEAST)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()  # its words may need another number of lines


class _Card(QWidget):
    """The notice's ground: an edge in its colour, and its icon."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._kind = kind

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        ink = colors.color(_INKS[self._kind])
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        path = QPainterPath()
        path.addRoundedRect(area, _RADIUS, _RADIUS)
        painter.fillPath(path, colors.color("raised"))
        painter.setClipPath(path)
        painter.fillRect(placed(QRectF(0, 0, _EDGE, self.height()), self.rect()), ink)
        painter.setClipping(False)
        painter.setPen(QPen(colors.color("border"), 1))
        painter.drawPath(path)
        icon = placed(QRectF(19, 13, 22, 22), self.rect())
        icons.paint(painter, _ICONS[self._kind], icon, QColor(ink))
        painter.end()


def _label(text: str, role: fonts.Role, ink: str = "") -> QLabel:
    label = QLabel(text)
    label.setFont(fonts.font(role))
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if ink:
        label.setProperty("ink", ink)
    return label


def _effect(effect: str) -> QWidget:
    """The effect, with memory saved in the fits colour and memory added in the trouble colour."""
    memory, comma, rest = effect.partition(", ")
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(3)
    first = QLabel(memory + comma.strip())
    first.setFont(fonts.semibold("secondary"))
    first.setProperty("ink", {"−": "fits", "+": "trouble"}.get(memory[:1], "secondary"))
    layout.addWidget(first)
    if rest:
        second = QLabel(rest)
        second.setFont(fonts.font("secondary"))
        second.setProperty("ink", "secondary")
        layout.addWidget(second)
    return row
