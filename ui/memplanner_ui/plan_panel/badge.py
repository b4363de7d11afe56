"""The words at the right end of an option's row: what choosing it would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts

Tone = Literal["saves", "costs", "neutral", "faint"]
INK = {"saves": "fits", "costs": "trouble", "neutral": "text2", "faint": "text3"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What an option would change: ``−14.9 GiB`` and, in fainter ink, ``then fits``."""

    memory: str
    tone: Tone
    rest: str = ""
    at: str = ""
    """Of a number: the value it is about."""
    up: bool = True
    """Of a number: whether that value is larger than the plan's."""
    tip: str = ""
    """The whole of it, in sentences."""
    size_bytes: int | None = None
    """The difference that is shown; None where it is none of sizes."""
    refused: bool = False
    """Whether the plan cannot be carried out so."""

    @property
    def spoken(self) -> str:
        """The effect as assistive software reads it."""
        words = self.memory.replace("−", "minus ").replace("+", "plus ")
        words = words.replace("GiB", translate("Plan panel", "gibibytes"))
        words = words.replace("MiB", translate("Plan panel", "mebibytes"))
        words = (
            translate("Plan panel", "at {at}: {words}").format(at=self.at, words=words)
            if self.at
            else words
        )
        return f"{words}, {self.rest}" if self.rest else words


class Badge(QLabel):
    """Says ``chosen``, why it cannot be chosen, or the effect; empty while nothing is known.

    Where there is no room for all of it, an arrow stands for the value it is about, then the rest
    goes. A difference is never cut: where not even it fits, there is an ellipsis.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._effect: Effect | None = None
        self._state = ""
        self._shorter: tuple[str, ...] = ()
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

    @property
    def effect(self) -> Effect | None:
        """What it shows, unless a state covers it."""
        return self._effect

    @property
    def dimmed(self) -> bool:
        """Whether the effect is of an earlier plan."""
        return self._dimmed

    def set_state(self, words: str, shorter: Sequence[str] = ()) -> None:
        """Shows ``chosen``, or why the option cannot be chosen; empty shows the effect.

        Where there is no room for the words, the first of the ``shorter`` ones that fits is shown.
        """
        if (words, tuple(shorter)) != (self._state, self._shorter):
            self._state, self._shorter = words, tuple(shorter)
            self._show()

    def set_effect(self, effect: Effect | None, *, dimmed: bool = False) -> None:
        """Shows an effect; ``dimmed`` while it is of an earlier plan."""
        if (effect, dimmed) != (self._effect, self._dimmed):
            self._effect, self._dimmed = effect, dimmed
            self._show()

    def dim(self) -> None:
        """The plan has changed: what is shown is of an earlier one."""
        if self._effect is not None:
            self.set_effect(self._effect, dimmed=True)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show()

    def _show(self) -> None:
        colors = theme.current()
        faint = colors.color("text3").name()
        if self._state:
            shown = self._state_that_fits()
            self.setText(f'<span style="color:{faint}">{escape(shown)}</span>')
            self.setToolTip(self._state if shown != self._state else "")
            return
        effect = self._effect
        if effect is None:
            self.setToolTip("")
            self.setText("")
            return
        ink = faint if self._dimmed else colors.color(INK[effect.tone]).name()
        at, memory, rest = self._that_fits(effect)
        strong = "b" if effect.size_bytes is not None else "span"
        self.setText(
            f'<span style="color:{faint}">{escape(at)}</span>'
            f'<{strong} style="color:{ink}">{escape(memory)}</{strong}>'
            f'<span style="color:{faint}">{escape(rest)}</span>'
        )
        earlier = (
            translate("Plan panel", "Of the plan before the last change.") + "\n"
            if self._dimmed
            else ""
        )
        self.setToolTip(earlier + (effect.tip or effect.memory))

    def _state_that_fits(self) -> str:
        metrics, room = QFontMetrics(self.font()), max(24, self.width())
        for words in (self._state, *self._shorter):
            if metrics.horizontalAdvance(words) <= room:
                return words
        last = (self._state, *self._shorter)[-1]
        return metrics.elidedText(last, Qt.TextElideMode.ElideRight, room)

    def _that_fits(self, effect: Effect) -> tuple[str, str, str]:
        """What stands before the memory, the memory, and what follows, as far as there is room."""
        wordings = [""]
        if effect.at:
            arrow = "↑ " if effect.up else "↓ "
            wordings = [
                translate("Plan panel", "at {at}: ").format(at=effect.at),
                f"{effect.at}: ",
                arrow,
                "",
            ]
        rest = f", {effect.rest}" if effect.rest else ""
        sized = effect.size_bytes is not None
        plain = QFontMetrics(self.font())
        strong = QFontMetrics(fonts.semibold("secondary")) if sized else plain
        room = self.width() - strong.horizontalAdvance(effect.memory) - 1
        for more in dict.fromkeys((rest, "")):
            for at in wordings:
                if plain.horizontalAdvance(at + more) <= room:
                    return at, effect.memory, more
        if sized:
            return "", "…", ""
        memory = effect.memory
        if effect.refused and plain.horizontalAdvance(memory) > self.width():
            memory = translate("Plan panel", "not possible")
        return "", plain.elidedText(memory, Qt.TextElideMode.ElideRight, self.width()), ""
