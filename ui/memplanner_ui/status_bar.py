"""The status bar: how the estimate was made, what is being done, and the engine's state."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QStatusBar, QWidget

from memplanner.messages.estimate import Estimate
from memplanner_ui.environment.button import EngineButton
from memplanner_ui.header import UprightLine
from memplanner_ui.language import plural, summary_of_plan, translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.progress_line import SHOW_AFTER_MS
from memplanner_ui.views.rows import ShrinkingLabel

STOP_AFTER_MS = 2000


_AT_ONCE_SECONDS = 0.002


class StatusBar(QStatusBar):
    """One line of facts; work that takes over two seconds gets a way to stop it."""

    stop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.setFixedHeight(fonts.scaled(26))
        self._icon = QLabel()
        self._fact = ShrinkingLabel()
        self.engine = EngineButton()
        self._stop = QPushButton(translate("Window", "Stop"))
        self._stop.setProperty("small", True)
        self._stop.setFixedHeight(fonts.scaled(20))
        self._stop.setStyleSheet("min-height: 0; padding: 0 8px;")
        self._stop.clicked.connect(self.stop_wanted)
        self._stop.hide()
        line = UprightLine()
        for widget in (self._icon, self._fact, self._stop, line, self.engine):
            widget.setFont(fonts.font("secondary"))
            self.addWidget(widget)
        self._icon.setFixedWidth(24)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._icon_name, self._icon_color = "info", "text2"
        self._icon_shown = "", ""
        self._words, self._detail = translate("Window", "No model open"), ""
        self._work = ""
        self._late = self._timer(SHOW_AFTER_MS, self._show)
        self._later = self._timer(STOP_AFTER_MS, self._stop.show)
        theme.current().changed.connect(self._show_again)
        self._show()

    def _timer(self, milliseconds: int, do: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(do)
        return timer

    # What is said

    def say(self, words: str, icon: str = "info", color: str = "text2", detail: str = "") -> None:
        """Shows a fact with an icon; ``detail`` is its tool tip."""
        self._words, self._icon_name, self._icon_color = words, icon, color
        self._detail = detail
        self._show()

    def show_estimate(self, estimate: Estimate | None) -> None:
        """Says how an estimate was made."""
        if estimate is None:
            self.say(translate("Window", "No estimate yet"))
            return
        method = summary_of_plan(estimate.method)
        method = method[:1].upper() + method[1:]
        notes = "\n".join(estimate.notes)
        words = f"{method}, {_duration(estimate.seconds)}"
        if estimate.notes:
            count = len(estimate.notes)
            words += plural("Window", "; {count} notes", "; {count} note", count).format(
                count=count
            )
        self.say(words, "check", "fits", notes)

    def show_work(self, words: str) -> None:
        """Says what is being done, once it takes 300 ms; over 2 s with a button to stop it."""
        was, self._work = self._work, words
        if not words:
            self._late.stop()
            self._later.stop()
            self._stop.hide()
            self._show()
        elif not was:
            self._late.start()
            self._later.start()
        elif not self._late.isActive():
            self._show()

    @property
    def text(self) -> str:
        """What stands at the left."""
        return self._fact.whole

    def _show_again(self) -> None:
        self._icon_shown = "", ""
        self._show()

    def _show(self) -> None:
        working = bool(self._work) and not self._late.isActive()
        self._fact.set_text(f"{self._work}…" if working else self._words)
        self._fact.setToolTip(self._detail if self._detail and not working else self._fact.whole)
        icon = ("history", "accent") if working else (self._icon_name, self._icon_color)
        if icon != self._icon_shown:
            self._icon_shown = icon
            self._icon.setPixmap(icons.icon(*icon).pixmap(QSize(14, 14)))


def _duration(seconds: float) -> str:
    """How long an estimate took; what was remembered took no time to speak of."""
    if seconds < _AT_ONCE_SECONDS:
        return translate("Window", "at once")
    shown = f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds:.3f} s"
    return translate("Window", "in {seconds}").format(seconds=shown)
