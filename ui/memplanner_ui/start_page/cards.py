"""A list of cards: as many columns as there is room for; Enter or a click chooses one."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts

GAP = 10
_SCROLL_BAR = 15
"""What Qt leaves out for one, whether there is one or not."""
CARDS_END = GAP + _SCROLL_BAR
"""Pixels from the last column of cards to the end of their list."""
_NARROWEST = 240
_WIDEST = 360


class Card(QStyledItemDelegate):
    """Paints the ground of a card; what stands on it, its subclasses."""

    size = QSize(_NARROWEST, 100)

    def ground(self, painter: QPainter, option: QStyleOptionViewItem) -> QRect:
        """Paints the card; where its words go."""
        colors, state = theme.current(), option.state
        whole: QRect = option.rect
        area = whole.adjusted(0, 0, -GAP, -GAP)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.color("accent" if focused else "border"), 2 if focused else 1))
        painter.setBrush(colors.color("hover" if hovered else "raised"))
        painter.drawRoundedRect(QRectF(area).adjusted(1, 1, -1, -1), 7, 7)
        return area.adjusted(13, 10, -13, -10)

    def sizeHint(self, option: QStyleOptionViewItem, index: object) -> QSize:
        return self.size


class CardList(QListView):
    """Cards of one height. Subclasses say what choosing an index does."""

    def __init__(
        self,
        name: str,
        cards: QAbstractListModel,
        card: Card,
        height: int,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._card, self._height = card, height
        self.setModel(cards)
        self.setItemDelegate(card)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSpacing(0)
        self.setMouseTracking(True)
        self.setProperty("ownFocusRing", True)  # the focused card has it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.setStyleSheet("QListView { background: transparent; border: none; }")
        self.clicked.connect(self.choose)

    def choose(self, index: QModelIndex) -> None:
        """What a click or Enter does."""
        raise NotImplementedError

    @property
    def columns(self) -> int:
        """How many cards stand beside each other."""
        room, least, most = self._room, fonts.scaled(_NARROWEST), fonts.scaled(_WIDEST)
        return max(1, min(3, room // least) if room < 4 * most else room // most)

    @property
    def _room(self) -> int:
        """Pixels for cards."""
        return self.contentsRect().width() - _SCROLL_BAR

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._card.size = QSize(self._room // self.columns, self._height)
        self.setGridSize(self._card.size)
        super().resizeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.choose(self.currentIndex())
        else:
            super().keyPressEvent(event)
