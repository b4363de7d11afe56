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
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.quality_part import QualityPart
from memplanner_ui.views.rows import ElidedLabel, Panel, Part, label, number, tag
from memplanner_ui.views.run_charts import LossChart, PeakChart, loss_words
from memplanner_ui.views.uses import intake, round_of, trains

_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "finished": ("finished", "plain"),
    "stopped": ("stopped", "plain"),
    "out_of_memory": ("out of memory", "trouble"),
    "failed": ("failed", "trouble"),
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
        super().__init__("Run", parent)
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
        self._now = QPushButton("Stop now")
        self._now.clicked.connect(self._stop_now)
        head = Part()
        head.add(_row(self._step, None, self._state))
        head.add(self._bar)
        head.add(self._left)
        buttons = _row(self._after, self._now)
        head.add(buttons)
        self._loss = LossChart()
        loss = self._loss_part = Part("Loss")
        self._last_loss = loss.right
        self._last_loss.setFont(fonts.semibold("body"))
        self._last_loss.setProperty("ink", "")
        loss.add(self._loss)
        speed = Part("Speed")
        self._step_time = speed.add_pair("Time of each, median")
        self._expected = speed.add_pair("Estimated")
        self._tokens = speed.add_pair("Tokens per second")
        self._peaks = PeakChart()
        peaks = Part("Peak of each, allocated")
        peaks.add(self._peaks)
        self._quality = QualityPart()
        self._quality.layer_chosen.connect(self.layer_chosen)
        process = Part("Process")
        self._process = process.add_pair("Runs in")
        self._data = _pair(process, "Data")
        self._saved = _pair(process, "Saved to")
        self._device = _pair(process, "Device")
        note = Part()
        note.add(_Note("The plan is locked while it runs. Edits you make now go to a copy."))
        self._note = note
        for part in (head, loss, speed, peaks, self._quality, process, note):
            self.add_part(part)

    def expect(self, time: StepTime | None) -> None:
        """Tells what a step was estimated to take; None where that is not known."""
        if time is None:
            self._expected.setText("not known here")
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
        self._peaks.set_limits(
            started.predicted.allocated_bytes, capacity, "memory" if on_cpu else "card"
        )
        where = f"{len(started.ranks)} ranks below" if started.ranks else "a child process,"
        self._process.setText(f"{where} pid {started.process_id}")
        self._data.set_text(started.data)
        self._device.set_text(started.device.name)
        self._bar.setRange(0, max(1, started.steps))
        self._set_state("applying", "accent")
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
            self._set_state(*_OUTCOMES[event.outcome])

    def clear(self) -> None:
        """Forgets the run."""
        self._started, self._steps = None, []
        self._set_quality(None)
        self._end()
        self._set_state("", "plain")
        self._step.setText("No run yet")
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
        self._peaks.set_limits(0, None, "card")
        self._peaks.set_peaks((), 1)

    def _use_words(self, word: Round) -> None:
        self._word = word
        self._bar.setAccessibleName(f"{word.capitalize()}s done")
        self._after.setText(f"Stop after {word}")
        self._after.setToolTip(f"Ends the run when its {word} is complete (Ctrl+.)")
        self._now.setToolTip(f"Ends the process at once; this {word} is lost")

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
        self._set_state("stopping", "accent")
        self.stop_after_step.emit()

    def _stop_now(self) -> None:
        self._after.setEnabled(False)
        self._now.setEnabled(False)
        self._set_state("stopping", "accent")
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
        self._step.setText(f"{self._word.capitalize()} {now} of {total}")
        self._bar.setValue(done)
        self._bar.setAccessibleDescription(f"{done} of {total} {self._word}s done")
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
        gone = f"{clock(self._seconds)} gone"
        if not steps:
            self._left.setText(gone)
            self._step_time.setText("not measured yet")
            self._tokens.setText("")
            return
        # The first step warms up caches and makes the optimizer's state.
        typical = median(step.step_seconds for step in (steps[1:] or steps))
        remaining = 0 if self._ended else typical * (started.steps - len(steps))
        self._left.setText(f"{gone}, about {clock(remaining)} left" if remaining else gone)
        self._step_time.setText(duration(typical))
        _, count, unit = intake(started.plan, takes_sequence=started.model.takes_sequence)
        if unit == "tokens":
            self._tokens.setText(format_count(round(count / typical)))
        else:
            self._tokens.setText("takes no tokens")


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
        painter.fillRect(QRectF(0, 0, 3, self.height()), colors.color("accent"))
        painter.setClipping(False)
        painter.setPen(QPen(colors.color("border"), 1))
        painter.drawPath(path)
        mark = QRectF(self._mark.geometry())
        icons.paint(painter, "info", mark, QColor(colors.color("accent")))
        painter.end()
