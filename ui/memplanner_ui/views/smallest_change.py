"""Over the layers, whenever the plan does not fit: the smallest change with which it does."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from memplanner.messages.search import SmallestChange
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.views import search_words as words

_RADIUS = 7.0
_EDGE = 4.0
_TITLE = translatable("Views", "Smallest change that fits:")
_WAITING = translatable("Views", "Looking for the smallest change that fits.")
_NONE = translatable("Views", "No change that a search tries makes this plan fit this device.")


class SmallestChangeBar(QWidget):
    """One line with the change, its effect, and ways to choose it or see others."""

    chosen = Signal(object)
    """The ``SmallestChange`` that is to be made."""
    more_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._change: SmallestChange | None = None
        self._before_bytes: int | None = None
        self._stale = False
        self._waiting = False
        self.choose_button = QPushButton(translate("Views", "Choose"))
        self.more_button = QPushButton(translate("Views", "More plans…"))
        self._words = QLabel()
        self._set_up()
        theme.current().changed.connect(self._say)
        self.hide()

    def _set_up(self) -> None:
        self.setAccessibleName(translate("Views", "Smallest change that fits"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._words.setFont(fonts.font("body"))
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self._words.setWordWrap(True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.choose_button.setProperty("small", True)
        self.choose_button.setProperty("primary", True)
        self.more_button.setProperty("small", True)
        self.more_button.setToolTip(translate("Views", "Search for plans that fit (Ctrl+4)"))
        self.choose_button.clicked.connect(self._choose)
        self.more_button.clicked.connect(self.more_wanted)
        self._card = _Card()
        line = QHBoxLayout(self._card)
        line.setContentsMargins(16, 7, 10, 7)
        line.setSpacing(8)
        line.addWidget(self._words, 1)
        line.addWidget(self.choose_button)
        line.addWidget(self.more_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 6)
        column.addWidget(self._card)

    @property
    def change(self) -> SmallestChange | None:
        """The change on offer."""
        return self._change

    @property
    def text(self) -> str:
        """What it says, without colours; empty while it is hidden."""
        return "" if self.isHidden() else self.accessibleDescription()

    def show_change(self, change: SmallestChange | None, before_bytes: int | None) -> None:
        """Offers a change, or says that there is none; ``before_bytes`` is the peak as it is."""
        self._change, self._before_bytes = change, before_bytes
        self._stale = self._waiting = False
        self._say()
        self.show()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def show_waiting(self) -> None:
        """Says that a change is looked for, unless one is shown, if of an earlier plan."""
        if self._change is None:
            self._waiting = True
            self._say()
            self.show()

    def outdate(self) -> None:
        """The plan is another one: what is offered is of the one before, and cannot be chosen."""
        if not self._stale:
            self._stale = True
            self._say()

    def clear(self) -> None:
        """Nothing has to be changed."""
        self._change = None
        self.hide()

    def _say(self) -> None:
        change, colors = self._change, theme.current()
        self.choose_button.setVisible(change is not None)
        self.choose_button.setEnabled(not self._stale)
        if change is None:
            text = translate("Views", _WAITING) if self._waiting else translate("Views", _NONE)
            ink = colors.color("text3" if self._waiting or self._stale else "text").name()
            self._words.setText(f'<span style="color:{ink}">{escape(text)}</span>')
            self.setAccessibleDescription(text)
            return
        title = translate("Views", _TITLE)
        what, effect = words.said(change.found), effect_of(change, self._before_bytes)
        rest = words.smallest_words(change)
        memory, comma, time = effect.partition(", ")
        inks = {"−": "fits", "+": "trouble"}
        ink = "text3" if self._stale else inks.get(memory[:1], "text2")
        body = colors.color("text3" if self._stale else "text").name()
        faint = colors.color("text3").name()
        self._words.setText(
            f'<span style="color:{body}"><b>{title}</b> {escape(what)},</span> '
            f'<b style="color:{colors.color(ink).name()}">{escape(memory)}</b>'
            f'<span style="color:{faint}">{escape(comma + time)}, {escape(rest)}.</span>'
        )
        plain = f"{title} {what}, {effect}, {rest}."
        self.setAccessibleDescription(words.spoken(plain))
        self.choose_button.setAccessibleName(translate("Views", "Choose: {what}").format(what=what))
        self.choose_button.setAccessibleDescription(words.spoken(effect))

    def _choose(self) -> None:
        if self._change is not None and not self._stale:
            self.chosen.emit(self._change)


class _Card(QWidget):
    """The ground: an edge in the colour of trouble."""

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        path = QPainterPath()
        path.addRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS, _RADIUS)
        painter.fillPath(path, colors.color("raised"))
        painter.setClipPath(path)
        edge = placed(QRectF(0, 0, _EDGE, self.height()), self.rect())
        painter.fillRect(edge, colors.color("trouble"))
        painter.setClipping(False)
        painter.setPen(QPen(colors.color("border"), 1))
        painter.drawPath(path)
        painter.end()


def effect_of(change: SmallestChange, before_bytes: int | None) -> str:
    """``−9.9 GiB, +12 % time``: the change's peak beside the peak as it is."""
    found = change.found
    after = found.allocated_bytes if found.device_bytes is None else found.device_bytes
    return words.effect_words(after, before_bytes, change.slower_by)
