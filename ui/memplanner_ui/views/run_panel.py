"""The panel of a run: how far it is, how to stop it, its loss, speed, peaks and process."""

from __future__ import annotations

from math import isfinite
from statistics import median

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from memplanner.messages.cost import StepTime
from memplanner.messages.run import (
    Outcome,
    QualityReport,
    RunEvent,
    RunResult,
    RunSample,
    RunStarted,
    RunStep,
)
from memplanner.plan.inference import Round
from memplanner.units import NOTHING, format_count, format_duration
from memplanner_ui import step_words
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.views.quality_part import QualityPart
from memplanner_ui.views.rows import ElidedLabel, Panel, Part, label, number, tag
from memplanner_ui.views.run_charts import LossChart, PeakChart, loss_words
from memplanner_ui.views.uses import intake, one, round_of, rounds, several, trains

_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "finished": (translatable("Views", "finished"), "plain"),
    "stopped": (translatable("Views", "stopped"), "plain"),
    "out_of_memory": (translatable("Views", "out of memory"), "trouble"),
    "failed": (translatable("Views", "failed"), "trouble"),
}


def clock(seconds: float) -> str:
    """``seconds`` as ``1:15``, or ``1:02:05`` from an hour on."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def duration(seconds: float) -> str:
    """A step's time in three figures: ``5.12 s``, ``812 ms``."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


class RunPanel(Panel):
    """What a run does now. Its buttons emit ``stop_after_step`` and ``stop_now``."""

    stop_after_step = Signal()
    stop_now = Signal()
    layer_chosen = Signal(str)
    """A layer of the quality report was chosen: its name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Run"), parent)
        self._started: RunStarted | None = None
        self._steps: list[RunStep] = []
        self._seconds = 0.0
        self._ended = False
        self._word: Round = "step"
        self._build()
        self._use_words("step")
        self.clear()

    def _build(self) -> None:
        self._state = tag("", "accent")
        self._step = label("", "heading")
        self._left = label("", "secondary", "secondary")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._after = QPushButton()
        icons.set_icon(self._after, "stop")
        self._after.clicked.connect(self._stop_after)
        self._now = QPushButton(translate("Views", "Stop now"))
        self._now.clicked.connect(self._stop_now)
        head = Part()
        head.add(_row(self._step, None, self._state))
        head.add(self._bar)
        head.add(self._left)
        buttons = _row(self._after, self._now)
        head.add(buttons)
        self._loss = LossChart()
        loss = self._loss_part = Part(translate("Views", "Loss"))
        self._last_loss = loss.right
        self._last_loss.setFont(fonts.semibold("body"))
        self._last_loss.setProperty("ink", "")
        loss.add(self._loss)
        speed = Part(translate("Views", "Speed"))
        self._step_time = speed.add_pair(translate("Views", "Time of each, median"))
        self._expected = speed.add_pair(translate("Views", "Estimated"))
        self._tokens = speed.add_pair(translate("Views", "Tokens per second"))
        self._peaks = PeakChart()
        peaks = Part(translate("Views", "Peak of each, allocated"))
        peaks.add(self._peaks)
        self._quality = QualityPart()
        self._quality.layer_chosen.connect(self.layer_chosen)
        process = Part(translate("Views", "Process"))
        self._process = process.add_pair(translate("Views", "Runs in"))
        self._data = _pair(process, translate("Views", "Data"))
        self._saved = _pair(process, translate("Views", "Saved to"))
        self._device = _pair(process, translate("Views", "Device"))
        note = Part()
        note.add(
            _Note(
                translate(
                    "Views", "The plan is locked while it runs. Edits you make now go to a copy."
                )
            )
        )
        self._note = note
        for part in (head, loss, speed, peaks, self._quality, process, note):
            self.add_part(part)

    def expect(self, time: StepTime | None) -> None:
        """Tells what a step was estimated to take; None where that is not known."""
        if time is None:
            self._expected.setText(translate("Views", "not known here"))
            self._expected.setToolTip("")
            return
        self._expected.setText(f"{format_duration(time.seconds)}, {step_words.likely(time)}")
        self._expected.setToolTip(step_words.explained(time))

    def start(self, started: RunStarted) -> None:
        """Begins a run."""
        self._started, self._steps, self._seconds = started, [], 0.0
        self._ended = False
        self._use_words(round_of(started.plan))
        self.show_part(self._loss_part, trains(started.plan))
        on_cpu = started.device.kind == "cpu"
        capacity = started.device.memory_bytes
        self._peaks.set_limits(started.predicted.allocated_bytes, capacity, on_cpu)
        where = translate("Views", "a child process, pid {process_id}")
        if started.ranks:
            where = translate("Views", "{count} ranks below pid {process_id}")
        self._process.setText(where.format(count=len(started.ranks), process_id=started.process_id))
        self._data.set_text(started.data)
        self._device.set_text(started.device.name)
        self._bar.setRange(0, max(1, started.steps))
        self._set_state(translate("Views", "applying"), "accent")
        for button in (self._after, self._now):
            button.setEnabled(True)
        self._set_quality(None)
        self._saved.set_text(NOTHING)
        self.show_part(self._note, True)
        self._show()

    def handle(self, event: RunEvent) -> None:
        """Takes one event of the run."""
        if isinstance(event, RunStarted):
            self.start(event)
        elif isinstance(event, RunStep):
            self._seconds = event.seconds
            self._steps.append(event)
            self._show()
        elif isinstance(event, RunSample):
            if int(event.seconds) != int(self._seconds):
                self._seconds = event.seconds
                self._show_times()
        elif isinstance(event, RunResult):
            self._seconds = event.seconds
            self._end()
            self._show()
            self._set_quality(event.quality)
            self._saved.set_text(event.saved or NOTHING)
            said, ink = _OUTCOMES[event.outcome]
            self._set_state(translate("Views", said), ink)

    def clear(self) -> None:
        """Forgets the run."""
        self._started, self._steps = None, []
        self._set_quality(None)
        self._end()
        self._set_state("", "plain")
        self._step.setText(translate("Views", "No run yet"))
        for shown in (
            self._left, self._step_time, self._expected, self._tokens, self._process,
            self._last_loss,
        ):  # fmt: skip
            shown.setText("")
        self._data.set_text("")
        self._device.set_text("")
        self._saved.set_text("")
        self._bar.setValue(0)
        self._loss.set_losses((), 1)
        self._peaks.set_limits(0, None, False)
        self._peaks.set_peaks((), 1)

    def _use_words(self, word: Round) -> None:
        self._word = word
        self._bar.setAccessibleName(translate("Views", "{steps} done").format(steps=several(word)))
        said = one(word)
        self._after.setText(translate("Views", "Stop after {word}").format(word=said))
        self._after.setToolTip(
            translate("Views", "Ends the run when its {word} is complete (Ctrl+.)").format(
                word=said
            )
        )
        self._now.setToolTip(
            translate("Views", "Ends the process at once; this {word} is lost").format(word=said)
        )

    @property
    def state(self) -> str:
        """The run's state in a word: ``applying``, ``stopping``, ``finished``, …"""
        return self._state.text()

    def _end(self) -> None:
        self._ended = True
        if self._after.hasFocus() or self._now.hasFocus():
            self.window().setFocus()  # else Qt would put it on the next thing there is
        for button in (self._after, self._now):
            button.setEnabled(False)
        self.show_part(self._note, False)

    def _set_quality(self, report: QualityReport | None) -> None:
        self._quality.set_report(report)
        self.show_part(self._quality, report is not None)

    def _stop_after(self) -> None:
        self._after.setEnabled(False)
        self._set_state(translate("Views", "stopping"), "accent")
        self.stop_after_step.emit()

    def _stop_now(self) -> None:
        self._after.setEnabled(False)
        self._now.setEnabled(False)
        self._set_state(translate("Views", "stopping"), "accent")
        self.stop_now.emit()

    def _set_state(self, text: str, kind: str) -> None:
        self._state.setText(text)
        self._state.setProperty("tag", kind)
        self._state.style().unpolish(self._state)
        self._state.style().polish(self._state)
        self._state.setVisible(bool(text))

    def _show(self) -> None:
        started, steps = self._started, self._steps
        if started is None:
            return
        total = started.steps
        done = len(steps)
        now = done if self._ended else min(done + 1, total)
        self._step.setText(
            translate("Views", "{word} {now} of {total}").format(
                word=one(self._word).capitalize(), now=now, total=total
            )
        )
        self._bar.setValue(done)
        self._bar.setAccessibleDescription(
            translate("Views", "{done} of {all} done").format(
                done=done, all=rounds(total, self._word)
            )
        )
        losses = [step.loss for step in steps if step.loss is not None]
        self._loss.set_losses(losses, total)
        self._show_last_loss(losses[-1] if losses else None)
        self._peaks.set_peaks([step.peak_bytes for step in steps], total)
        self._show_times()

    def _show_last_loss(self, loss: float | None) -> None:
        self._last_loss.setText("" if loss is None else loss_words(loss))
        ink = "trouble" if loss is not None and not isfinite(loss) else ""
        if self._last_loss.property("ink") != ink:
            self._last_loss.setProperty("ink", ink)
            self._last_loss.style().unpolish(self._last_loss)
            self._last_loss.style().polish(self._last_loss)

    def _show_times(self) -> None:
        started, steps = self._started, self._steps
        if started is None:
            return
        gone = translate("Views", "{time} gone").format(time=clock(self._seconds))
        if not steps:
            self._left.setText(gone)
            self._step_time.setText(translate("Views", "not measured yet"))
            self._tokens.setText("")
            return
        # The first step warms up caches and makes the optimizer's state.
        typical = median(step.step_seconds for step in (steps[1:] or steps))
        remaining = 0 if self._ended else typical * (started.steps - len(steps))
        self._left.setText(
            translate("Views", "{gone}, about {time} left").format(gone=gone, time=clock(remaining))
            if remaining
            else gone
        )
        self._step_time.setText(duration(typical))
        _, count, unit = intake(started.plan, takes_sequence=started.model.takes_sequence)
        if unit == "tokens":
            self._tokens.setText(format_count(round(count / typical)))
        else:
            self._tokens.setText(translate("Views", "takes no tokens"))


def _pair(part: Part, name: str) -> ElidedLabel:
    """A row whose value may be long."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(8)
    layout.addWidget(label(name, "body", "secondary"))
    value = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
    value.setFont(fonts.font("body"))
    value.setAlignment(number("").alignment())
    layout.addWidget(value, 1)
    part.add(row)
    return value


def _row(*widgets: QWidget | None) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(8)
    for widget in widgets:
        if widget is None:
            layout.addStretch(1)
        else:
            layout.addWidget(widget, 1 if isinstance(widget, QPushButton) else 0)
    return row


class _Note(QWidget):
    """A framed remark with an accent edge."""

    def __init__(self, text: str) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 9, 10, 9)
        layout.setSpacing(9)
        mark = QLabel()
        mark.setFixedSize(16, 16)
        self._mark = mark
        layout.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(label(text, "secondary", "", wrap=True), 1)
        self.setAccessibleName(text)
        theme.current().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        path = QPainterPath()
        path.addRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.fillPath(path, colors.color("raised"))
        painter.setClipPath(path)
        edge = placed(QRectF(0, 0, 3, self.height()), self.rect())
        painter.fillRect(edge, colors.color("accent"))
        painter.setClipping(False)
        painter.setPen(QPen(colors.color("border"), 1))
        painter.drawPath(path)
        mark = QRectF(self._mark.geometry())
        icons.paint(painter, "info", mark, QColor(colors.color("accent")))
        painter.end()
