"""The words at the right end of an option's row: what choosing it would change."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts

Tone = Literal["saves", "costs", "neutral"]
_INK = {"saves": "fits", "costs": "trouble", "neutral": "text"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What an option would change: ``−14.9 GiB`` and, in fainter ink, ``same time``."""

    memory: str
    tone: Tone
    rest: str = ""

    @property
    def spoken(self) -> str:
        """The effect as assistive software reads it."""
        words = self.memory.replace("−", "minus ").replace("+", "plus ")
        words = words.replace("GiB", "gibibytes").replace("MiB", "mebibytes")
        return f"{words}, {self.rest}" if self.rest else words


class Badge(QLabel):
    """Says ``chosen``, why it cannot be chosen, or the effect; empty while nothing is known."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._effect: Effect | None = None
        self._state = ""
        self._dimmed = False
        self.setFont(fonts.font("secondary"))
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        theme.current().changed.connect(self._show)

    @property
    def spoken(self) -> str:
        """What it says, for the accessible name of its row."""
        if self._state:
            return self._state
        return self._effect.spoken if self._effect else ""

    def set_state(self, words: str) -> None:
        """Shows ``chosen``, or why the option cannot be chosen; empty shows the effect."""
        if words != self._state:
            self._state = words
            self._show()

    def set_effect(self, effect: Effect | None, *, dimmed: bool = False) -> None:
        """Shows an effect; ``dimmed`` while it is of an earlier plan."""
        self._effect, self._dimmed = effect, dimmed
        self._show()

    def _show(self) -> None:
        colors = theme.current()
        faint = colors.color("text3").name()
        if self._state:
            self.setText(f'<span style="color:{faint}">{escape(self._state)}</span>')
            self.setToolTip(self._state if self._state != "chosen" else "")
            return
        self.setToolTip("")
        if self._effect is None:
            self.setText("")
            return
        ink = faint if self._dimmed else colors.color(_INK[self._effect.tone]).name()
        rest = f", {escape(self._effect.rest)}" if self._effect.rest else ""
        self.setText(
            f'<b style="color:{ink}">{escape(self._effect.memory)}</b>'
            f'<span style="color:{faint}">{rest}</span>'
        )
