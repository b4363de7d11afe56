"""The dashed area that says what can be dropped, with the two ways to open."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from memplanner_ui.actions import Actions
from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.tool_bar import ActionButton
from memplanner_ui.views.rows import label

_TOP, _SIDE = 46, 16


class DropZone(QWidget):
    """The drop itself is the window's: anywhere on it counts."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._over = False
        title = label(translate("Start page", "Drop a model or a plan here"), "notice")
        about = label(
            translate(
                "Start page",
                "A model folder, config.json, safetensors, GGUF, a state dict, ONNX, a Python "
                "recipe, a plan, or a trainer’s file",
            ),
            "body",
            "secondary",
            wrap=True,
        )
        about.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._about = about
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        opener = ActionButton(
            actions["open"], "open", primary=True, text=translate("Start page", "Open…")
        )
        by_name = QPushButton(translate("Start page", "From a Hugging Face name…"))
        by_name.clicked.connect(actions["open_name"].trigger)
        buttons.addWidget(opener)
        buttons.addWidget(by_name)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(_SIDE, _TOP, _SIDE, 16)
        column.setSpacing(8)
        column.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(about)
        column.addSpacing(2)
        column.addLayout(buttons)
        self._fit()
        theme.current().changed.connect(self.update)

    def _fit(self) -> None:
        """As high as the words need at this width, never lower than in one line."""
        room = max(1, self.width() - 2 * _SIDE)
        line = self._about.fontMetrics().height()
        self.setFixedHeight(fonts.scaled(150) - line + max(line, self._about.heightForWidth(room)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def set_over(self, over: bool) -> None:
        """Whether something that can be dropped is over the window."""
        self._over = over
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(colors.color("accent" if self._over else "text3"), 2 if self._over else 1)
        pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(colors.color("selection" if self._over else "panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 7, 7)
        icon = QRectF(self.width() / 2 - 12, 16, 24, 24)
        icons.paint(painter, "drop", icon, colors.color("text2"))
        painter.end()
