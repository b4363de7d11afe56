"""A tool-bar button that shows what is chosen and opens a menu to choose another."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QWidget

from memplanner_ui.look import hatch, icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed

_BAR = 44.0
_ICON = 16.0
_GAP = 8.0


class ChoiceButton(QPushButton):
    """Icon, what is chosen, a fainter detail, an arrow; and a small bar where a share is known."""

    def __init__(
        self, icon: str, name: str, *, raised: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon = icon
        self._name = name
        self._raised = raised
        self._strong = ""
        self._detail = ""
        self._share: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        self.clicked.connect(self.open_menu)
        theme.current().changed.connect(self.update)

    def show_choice(self, strong: str, detail: str = "", share: float | None = None) -> None:
        """Shows what is chosen; ``share`` (0 to 1) is drawn as a bar."""
        self._strong, self._detail, self._share = strong, detail, share
        self.setAccessibleName(
            f"{self._name}: {strong}, {detail}" if detail else (f"{self._name}: {strong}")
        )
        self.updateGeometry()
        self.update()

    def fill_menu(self, menu: QMenu) -> None:
        """Adds what can be chosen; a button says what by overriding this."""

    def open_menu(self) -> None:
        """Opens the menu below the button."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        self.fill_menu(menu)
        menu.popup(self.mapToGlobal(QPoint(0, self.height() + 2)))

    def sizeHint(self) -> QSize:
        body = QFontMetrics(fonts.font("body"))
        strong = QFontMetrics(fonts.font("heading"))
        width = 10 + _ICON + _GAP + strong.horizontalAdvance(self._strong) + 2
        if self._share is not None:
            width += _GAP + _BAR
        if self._detail:
            width += _GAP + body.horizontalAdvance(self._detail)
        return QSize(round(width + _GAP + _ICON + 8), fonts.scaled(28))

    def minimumSizeHint(self) -> QSize:
        return QSize(90, fonts.scaled(28))

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hovered = self.underMouse() and self.isEnabled()
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if self._raised or hovered:
            painter.setPen(QPen(colors.color("border" if self._raised else "hover"), 1))
            painter.setBrush(colors.color("hover" if hovered else "raised"))
            painter.drawRoundedRect(area, 5, 5)
        middle = self.height() / 2
        left = 10.0
        icons.paint(
            painter,
            self._icon,
            placed(QRectF(left, middle - _ICON / 2, _ICON, _ICON), area),
            colors.color("text"),
        )
        left += _ICON + _GAP
        right = self.width() - 8 - _ICON
        icons.paint(
            painter,
            "down",
            placed(QRectF(right, middle - _ICON / 2, _ICON, _ICON), area),
            colors.color("text2"),
        )
        flags = int(Qt.AlignmentFlag.AlignVCenter)
        font = fonts.font("heading")
        painter.setFont(font)
        painter.setPen(colors.color("text"))
        strong = QFontMetrics(font).elidedText(
            self._strong, Qt.TextElideMode.ElideRight, max(20, int(right - left - 4))
        )
        width = QFontMetrics(font).horizontalAdvance(strong)
        painter.drawText(
            placed(QRectF(left, 0, width + 4, self.height()), area), flags, isolated(strong)
        )
        left += width + _GAP
        if self._share is not None and left + _BAR < right:
            bar = placed(QRectF(left, middle - 5, _BAR, 10), area)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.fillRect(bar, colors.color("free"))
            used = QRectF(bar.left(), bar.top(), round(_BAR * self._share), 10)
            hatch.fill(painter, used, colors.color("other"), colors.color("text3"))
            painter.setPen(colors.color("border"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(bar.toRect())
            left += _BAR + _GAP
        if self._detail and left + 30 < right:
            font = fonts.font("body")
            painter.setFont(font)
            painter.setPen(colors.color("text2"))
            room = right - left - 4
            text = QFontMetrics(font).elidedText(
                self._detail, Qt.TextElideMode.ElideRight, int(room)
            )
            painter.drawText(
                placed(QRectF(left, 0, room, self.height()), area), flags, isolated(text)
            )
        painter.end()
