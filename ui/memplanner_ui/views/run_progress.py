"""The progress of a run: what was done and when, and at its end the largest difference."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from memplanner.messages.run import (
    RunEvent,
    RunProgress,
    RunResult,
    RunSample,
    RunStarted,
)
from memplanner.plan.inference import Round
from memplanner.units import format_bytes
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.views.comparison import largest_difference, percent
from memplanner_ui.views.parts import phase_title
from memplanner_ui.views.rows import Panel, Part, label
from memplanner_ui.views.run_panel import clock
from memplanner_ui.views.uses import one, round_of, rounds

_MOST = 200
"""Lines kept; a run that says more loses its oldest."""

_OUTCOME_ICONS = {
    "finished": ("check", "fits"),
    "stopped": ("stop", "text2"),
    "out_of_memory": ("caution", "trouble"),
    "failed": ("caution", "trouble"),
}

_OUTCOMES = {
    "finished": translatable("Views", "Finished"),
    "stopped": translatable("Views", "Stopped"),
    "out_of_memory": translatable("Views", "Out of memory"),
    "failed": translatable("Views", "Failed"),
}


class ProgressPanel(Panel):
    """A list of what was done, what goes on now, and how the run ended."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Progress"), parent)
        self._lines: list[_Line] = []
        self._now: _Line | None = None
        self._word: Round = "step"
        self._list = Part()
        self.add_part(self._list)
        self._show_empty()

    def start(self, started: RunStarted) -> None:
        """Begins a run."""
        self._restart()
        self._word = round_of(started.plan)
        self._now = _Line(
            "apply",
            "accent",
            translate("Views", "Starting"),
            started.device.name,
            translate("Views", "now"),
        )
        self._list.add(self._now)

    def handle(self, event: RunEvent) -> None:
        """Takes one event of the run."""
        if isinstance(event, RunStarted):
            self.start(event)
        elif isinstance(event, RunProgress):
            detail = event.detail[:1].upper() + event.detail[1:]
            line = _Line("check", "fits", event.title, detail, clock(event.seconds))
            self._add(line)
        elif isinstance(event, RunSample):
            if self._now is not None:
                word = self._word
                title = translate("Views", "Before the first {word}").format(word=one(word))
                if event.step:
                    title = translate("Views", "{word} {step}").format(
                        word=one(word).capitalize(), step=event.step
                    )
                where = phase_title(event.phase)
                if event.phase == "decode":
                    where += translate("Views", ", token {number}").format(
                        number=event.micro_batch + 2
                    )
                elif word == "step":
                    where += translate("Views", ", micro-batch {number}").format(
                        number=event.micro_batch + 1
                    )
                self._now.set_words(title, where)
        elif isinstance(event, RunResult):
            self._finish(event)

    def clear(self) -> None:
        """Forgets the run."""
        self._restart()
        self._show_empty()

    @property
    def titles(self) -> list[str]:
        """What the list says was done."""
        return [line.title for line in self._lines]

    def _restart(self) -> None:
        self.clear_parts()
        self._lines, self._now = [], None
        self._list = Part()
        self.add_part(self._list)

    def _show_empty(self) -> None:
        self._list.add(
            label(
                translate("Views", "What a run does is listed here."),
                "secondary",
                "faint",
                wrap=True,
            )
        )

    def _add(self, line: _Line) -> None:
        self._lines.append(line)
        if self._now is None:
            self._list.add(line)
        else:
            self._list.add_before(self._now, line)
        if len(self._lines) > _MOST:
            oldest = self._lines.pop(0)
            oldest.hide()
            oldest.deleteLater()

    def _finish(self, result: RunResult) -> None:
        if self._now is not None:
            self._now.hide()
            self._now.deleteLater()
            self._now = None
        icon, ink = _OUTCOME_ICONS[result.outcome]
        title = translate("Views", _OUTCOMES[result.outcome])
        detail = result.where or rounds(result.steps, round_of(result.plan))
        self._add(_Line(icon, ink, title, detail, clock(result.seconds)))
        said = Part(translate("Views", "What happened"))
        said.add(label(result.sentence, "body", "", wrap=True))
        if result.missing_bytes:
            missing = translate("Views", "{missing} were missing.").format(
                missing=format_bytes(result.missing_bytes)
            )
            said.add(label(missing, "body", "trouble", wrap=True))
        self.add_part(said)
        if result.measured is not None:
            self.add_part(_difference(result))
        if result.notes:
            notes = Part(translate("Views", "Notes"))
            for note in result.notes:
                notes.add(label(note, "secondary", "secondary", wrap=True))
            self.add_part(notes)


def _difference(result: RunResult) -> Part:
    part = Part(translate("Views", "Largest difference"))
    row = largest_difference(result)
    if row is None or row.predicted_bytes is None or row.measured_bytes is None:
        part.add(
            label(
                translate("Views", "None: every category is as predicted."), "body", "", wrap=True
            )
        )
        return part
    off = row.measured_bytes - row.predicted_bytes
    said = translate("Views", "{part}, {size} less than predicted.")
    if off > 0:
        said = translate("Views", "{part}, {size} more than predicted.")
    words = label(said.format(part=row.title, size=format_bytes(abs(off))), wrap=True)
    words.setFont(fonts.semibold("body"))
    part.add(words)
    peak = translate("Views", "Error of the allocated peak: {error}.").format(
        error=percent(result.error)
    )
    part.add(label(peak, "body", "secondary", wrap=True))
    return part


class _Line(QWidget):
    """One line: an icon, a title with its detail below, and when."""

    def __init__(self, icon: str, ink: str, title: str, detail: str, when: str) -> None:
        super().__init__()
        self.title = title
        self._icon, self._ink = icon, ink
        self._title = label(title, "body", wrap=True)
        font = fonts.font("body")
        font.setWeight(font.Weight.Medium)
        self._title.setFont(font)
        self._detail = label(detail, "secondary", "secondary", wrap=True)
        self._detail.setVisible(bool(detail))
        self._when = label(when, "secondary", "secondary")
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self._title)
        words.addWidget(self._detail)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(24, 1, 0, 5)
        layout.setSpacing(8)
        layout.addLayout(words, 1)
        layout.addWidget(self._when, 0, Qt.AlignmentFlag.AlignTop)
        self.setAccessibleName(f"{title}, {detail}, {when}" if detail else f"{title}, {when}")
        theme.current().changed.connect(self.update)

    def set_words(self, title: str, detail: str) -> None:
        """Changes what the line says."""
        if (title, detail) != (self._title.text(), self._detail.text()):
            self.title = title
            self._title.setText(title)
            self._detail.setText(detail)
            self._detail.setVisible(bool(detail))
            self.setAccessibleName(f"{title}, {detail}")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        color = theme.current().color(self._ink)
        icons.paint(painter, self._icon, placed(QRectF(0, 2, 15, 15), self.rect()), color)
        painter.end()
