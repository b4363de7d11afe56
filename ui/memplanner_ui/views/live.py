"""The live view: a run's memory against its prediction, and the table at its end."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from memplanner.messages.run import RunEvent, RunResult, RunSample, RunStarted
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.comparison import ComparisonTable
from memplanner_ui.views.live_data import LiveData
from memplanner_ui.views.live_plot import LivePlot
from memplanner_ui.views.live_ranks import fullest, other_ranks
from memplanner_ui.views.rows import label
from memplanner_ui.views.segments import Segments
from memplanner_ui.views.uses import one

_INTERVAL = 66
"""Milliseconds between two drawings: 15 a second."""
_MINUTE = 60.0
_ERROR_WORDS = translatable("Views", "error is predicted minus measured, over measured")


class LiveView(QWidget):
    """Plot and table of one run. ``start`` begins it, ``handle`` takes its events."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data: LiveData | None = None
        self._others: dict[int, LiveData] = {}
        self._dirty = False
        self.ranges = Segments(
            translate("Views", "Show"),
            (
                ("step", translate("Views", "This step")),
                ("minute", translate("Views", "Last minute")),
                ("run", translate("Views", "Whole run")),
            ),
        )
        self.lines = Segments(
            translate("Views", "Lines"),
            (
                ("allocated", translate("Views", "Allocated")),
                ("reserved", translate("Views", "Reserved")),
                ("device", translate("Views", "Device")),
            ),
            many=True,
        )
        self.plot = LivePlot()
        self.table = ComparisonTable()
        self._caption = QLabel()
        self._empty = label(
            translate(
                "Views", "Apply the plan to see its memory here, live, against the prediction."
            ),
            "body",
            "faint",
        )
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._draw)
        self._set_up()
        self.clear()

    def _set_up(self) -> None:
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.ranges.chosen.connect(lambda _value: self._draw(force=True))
        self.lines.chosen.connect(lambda value: self.plot.set_line(value, self.lines.is_on(value)))
        bar = QHBoxLayout()
        bar.setContentsMargins(12, 5, 14, 5)
        bar.setSpacing(8)
        bar.addWidget(label(translate("Views", "Show"), "body", "secondary"))
        bar.addWidget(self.ranges)
        bar.addSpacing(6)
        bar.addWidget(label(translate("Views", "Lines"), "body", "secondary"))
        bar.addWidget(self.lines)
        bar.addStretch(1)
        self._caption.setFont(fonts.font("axis"))
        self._caption.setProperty("ink", "faint")
        self._caption.setContentsMargins(50, 0, 14, 6)
        top = QWidget()
        above = QVBoxLayout(top)
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(0)
        above.addWidget(self.plot, 1)
        above.addWidget(self._caption)
        self._below = QWidget()
        below = QVBoxLayout(self._below)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(16, 7, 16, 7)
        head.addWidget(label(translate("Views", "Predicted against measured"), "heading"))
        head.addStretch(1)
        head.addWidget(label(translate("Views", _ERROR_WORDS), "secondary", "faint"))
        below.addLayout(head)
        below.addWidget(self.table, 1)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(top)
        self._splitter.addWidget(self._below)
        self._splitter.setStretchFactor(0, 5)
        self._splitter.setStretchFactor(1, 4)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self._empty, 1)
        layout.addWidget(self._splitter, 1)

    def start(self, started: RunStarted) -> None:
        """Begins a run: its prediction is plotted at once."""
        self._data = LiveData(started)
        on_cpu = started.device.kind == "cpu"
        self.lines.set_available("reserved", not on_cpu)
        self.ranges.set_title(
            "step", translate("Views", "This {word}").format(word=one(self._data.word))
        )
        self.lines.set_title(
            "device", translate("Views", "Process") if on_cpu else translate("Views", "Device")
        )
        others = other_ranks(started)
        self._others = {each.rank: each.data for each in others}
        capacity_bytes = started.device.memory_bytes
        self.plot.begin(self._data, capacity_bytes, on_cpu, fullest(started.ranks), others)
        self.table.set_result(None)
        self._below.hide()
        self._empty.hide()
        self._splitter.show()
        self._timer.start()
        self._draw(force=True)

    def handle(self, event: RunEvent) -> None:
        """Takes one event of the run; the result ends it and fills the table."""
        if isinstance(event, RunStarted):
            self.start(event)
        elif isinstance(event, RunSample):
            if self._data is not None:
                self._others.get(event.rank, self._data).add(event)
                self._dirty = True
        elif isinstance(event, RunResult):
            self._end(event)

    def clear(self) -> None:
        """Forgets the run."""
        self._timer.stop()
        self._data = None
        self.plot.begin(None, None, on_cpu=False)
        self.table.set_result(None)
        self._splitter.hide()
        self._empty.show()

    def _end(self, result: RunResult) -> None:
        self._timer.stop()
        self.table.set_result(result)
        self._empty.setVisible(False)
        self._splitter.show()
        self._below.show()
        height = self._splitter.height()
        wanted = min(self.table.full_height() + fonts.scaled(34), round(height * 0.56))
        self._splitter.setSizes([height - wanted, wanted])
        if self._data is not None and self._data.count:
            self._draw(force=True)

    def _draw(self, *, force: bool = False) -> None:
        data = self._data
        if data is None or not (self._dirty or force):
            return
        self._dirty = False
        chosen = self.ranges.value
        step, word = max(1, data.step), one(data.word)
        if chosen == "step":
            self.plot.set_range(step - 1, step)
            many = data.prediction.micro_batches > 1
            what = translate("Views", "phases of {word} {step}")
            if many:
                what = translate("Views", "micro-batch of {word} {step}")
            what = what.format(word=word, step=step)
        elif chosen == "minute" and data.count:
            left = data.x_at(float(data.seconds[-1]) - _MINUTE)
            self.plot.set_range(left, max(data.now(), left + 0.05))
            what = translate("Views", "{word}, the last minute").format(word=word)
        else:
            self.plot.set_range(0, max(1, data.steps))
            what = word
        if step == 1 and chosen == "step" and data.word == "step":
            what += translate(
                "Views",
                "; the first step makes the optimizer state, the prediction is a steady step",
            )
        self._caption.setText(
            translate("Views", "{what}, aligned with the prediction by phase").format(what=what)
        )
        self.plot.refresh()
