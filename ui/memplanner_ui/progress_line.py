"""A thin line under the tabs while something takes longer than 300 ms."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import motion, theme

SHOW_AFTER_MS = 300
_TICK_MS = 40
_STEP = 0.025


class ProgressLine(QWidget):
    """Two pixels of accent: as long as the share done, or moving where that is not known."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Window", "Progress"))
        self._share: float | None = None
        self._place = 0.0
        self._shown = False
        self._begin = QTimer(self)
        self._begin.setSingleShot(True)
        self._begin.setInterval(SHOW_AFTER_MS)
        self._begin.timeout.connect(self._appear)
        self._tick = QTimer(self)
        self._tick.setInterval(_TICK_MS)
        self._tick.timeout.connect(self._move)

    def set_work(self, working: bool, share: float | None) -> None:
        """Tells that something is being done, and the share done where it is known."""
        self._share = share
        if not working:
            self._begin.stop()
            self._tick.stop()
            self._shown = False
        elif not self._shown and not self._begin.isActive():
            self._begin.start()
        self.update()

    def _appear(self) -> None:
        self._shown = True
        self._place = 0.0
        if not motion.reduced():
            self._tick.start()
        self.update()

    def _move(self) -> None:
        self._place = (self._place + _STEP) % 1.3
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._shown:
            return
        painter = QPainter(self)
        color = theme.current().color("accent")
        width = float(self.width())
        if self._share is not None:
            painter.fillRect(QRectF(0, 0, width * self._share, 2), color)
        elif motion.reduced():
            painter.fillRect(QRectF(0, 0, width, 2), color)
        else:
            painter.fillRect(QRectF(width * (self._place - 0.3), 0, width * 0.3, 2), color)
        painter.end()
