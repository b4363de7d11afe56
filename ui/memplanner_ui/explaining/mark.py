"""The small mark at a figure that says it can be asked about."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt
from PySide6.QtWidgets import QToolButton, QWidget

from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed

QUESTION = translatable("Explaining", "How was this number made?")
_SIZE = 24
_LEFT, _BELOW_ICON = 15, 45
_RIGHT, _TOP = 6, 6


def question() -> str:
    """What stands in menus and tool tips of figures."""
    return translate("Explaining", QUESTION)


class FigureMark(QToolButton):
    """Stands below the icon at the left of a widget, or in its corner at the top right."""

    def __init__(self, figure: QWidget, *, left: bool) -> None:
        super().__init__(figure)
        self._figure, self._left = figure, left
        icons.set_icon(self, "info", "text3")
        self.setIconSize(QSize(14, 14))
        self.setFixedSize(_SIZE, _SIZE)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        name = figure.accessibleName() or translate("Explaining", "Step")
        self.setAccessibleName(f"{name}: {question().lower()}")
        figure.installEventFilter(self)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        place = QRect(self._figure.width() - _SIZE - _RIGHT, fonts.scaled(_TOP), _SIZE, _SIZE)
        if self._left:
            place = QRect(_LEFT, fonts.scaled(_BELOW_ICON), _SIZE, _SIZE)
        self.move(placed(place, self._figure.rect()).toRect().topLeft())
