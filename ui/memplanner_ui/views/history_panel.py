"""The panel that explains the selected run: its figures, its plan, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from memplanner.messages.history import KeptRun
from memplanner.report import past_runs
from memplanner.report.settings import changed
from memplanner.units import NOTHING, format_bytes
from memplanner_ui.language import of_plan, setting_of_plan, translatable, translate
from memplanner_ui.views.parts import exact, phase_title
from memplanner_ui.views.rows import Panel, Part, label, number

_NOTHING = translatable(
    "Views", "Select a run in the plot or the table: this shows its plan and what was measured."
)


class PastRunPanel(Panel):
    """One past run; asks to use its plan or to compare it."""

    use_wanted = Signal(object)
    compare_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Past run"), parent)
        self.use_button: QPushButton | None = None
        self.compare_button: QPushButton | None = None
        self._told: tuple[KeptRun | None, str, bool] | None = None
        self.show_run(None)

    def show_run(self, run: KeptRun | None, hindrance: str = "", *, own: bool = False) -> None:
        """Explains a run; ``hindrance`` says why its plan cannot be taken, ``own``: it is open."""
        if (run, hindrance, own) == self._told:
            return
        self._told = (run, hindrance, own)
        focus = self._focused()
        self.use_button = self.compare_button = None
        self.clear_parts()
        if run is None:
            part = Part()
            part.add(label(translate("Views", _NOTHING), "secondary", "faint", wrap=True))
            self.add_part(part)
            return
        self.add_part(_head(run))
        self.add_part(_figures(run))
        self.add_part(self._ways_out(run, hindrance, own))
        self.add_part(_settings(run))
        again = {"use": self.use_button, "compare": self.compare_button}.get(focus)
        if again is not None:
            again.setFocus()

    def _focused(self) -> str:
        for name, button in (("use", self.use_button), ("compare", self.compare_button)):
            if button is not None and button.hasFocus():
                return name
        return ""

    def _ways_out(self, run: KeptRun, hindrance: str, own: bool) -> Part:
        part = Part()
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        use = self.use_button = QPushButton(translate("Views", "Use this plan"))
        use.setProperty("primary", True)
        use.setEnabled(not hindrance and not own)
        use.setAccessibleDescription(past_runs.plan_words(run.plan))
        use.clicked.connect(lambda: self.use_wanted.emit(run))
        compare = self.compare_button = QPushButton(translate("Views", "Compare"))
        compare.setToolTip(translate("Views", "Keep its plan, and put it beside the plan as it is"))
        compare.setEnabled(not hindrance and not own)
        compare.clicked.connect(lambda: self.compare_wanted.emit(run))
        line.addWidget(use, 1)
        line.addWidget(compare)
        part.add(row)
        note = translate("Views", "Ctrl Z brings the plan before it back.")
        if hindrance:
            note = hindrance
        elif own:
            note = translate("Views", "This is the plan as it is.")
        part.add(label(note, "secondary", "faint", wrap=True))
        return part


def _head(run: KeptRun) -> Part:
    part = Part()
    part.add(label(run.model, "notice", wrap=True))
    words = translate("Views", "{when}, on {name}").format(
        when=past_runs.when(run), name=run.device.name
    )
    part.add(label(words, "body", "secondary", wrap=True))
    meaning = ""
    if run.outcome == "out_of_memory":
        meaning = translate(
            "Views",
            "It ran out of memory: its peak is not that of a whole step, and counts in no median.",
        )
    elif past_runs.outcome_words(run):
        meaning = translate(
            "Views", "It failed: its peak is not that of a whole step, and counts in no median."
        )
    if meaning:
        part.add(label(meaning, "secondary", "caution", wrap=True))
    return part


def _figures(run: KeptRun) -> Part:
    """Predicted against measured: the peak, each phase, what the allocator held, a step's time."""
    part = Part(translate("Views", "Predicted and measured"))
    rows: list[tuple[QWidget, ...]] = [
        _row("", translate("Views", "predicted"), translate("Views", "measured"), ink="faint")
    ]
    rows.append(
        _sizes(
            translate("Views", "Peak"), run.predicted.allocated_bytes, run.measured.allocated_bytes
        )
    )
    for phase in run.measured.by_phase:
        title = phase_title(phase)
        predicted = run.predicted.by_phase.get(phase)
        rows.append(_sizes(title, predicted, run.measured.by_phase[phase]))
    if run.measured.reserved_bytes is not None:
        reserved = run.predicted.reserved_bytes
        rows.append(_sizes(translate("Views", "Reserved"), reserved, run.measured.reserved_bytes))
    if run.step_seconds is not None:
        estimated = past_runs.step_words(run.estimated_seconds)
        rows.append(
            _row(translate("Views", "Step"), estimated, past_runs.step_words(run.step_seconds))
        )
    part.add_grid(rows)
    error = label(
        translate("Views", "Error of the peak {error_words}").format(
            error_words=past_runs.error_words(run.error)
        ),
        "body",
        "caution" if past_runs.is_large(run) else "secondary",
        wrap=True,
    )
    part.add(error)
    driver = translate("Views", "driver {version}") if run.driver else ""
    made = ", ".join(
        filter(None, (run.method, run.torch and f"torch {run.torch}",
                      driver and driver.format(version=run.driver)))
    )  # fmt: skip
    if made:
        part.add(label(made[:1].upper() + made[1:], "secondary", "faint", wrap=True))
    return part


def _settings(run: KeptRun) -> Part:
    part = Part(translate("Views", "Its plan"))
    rows: list[tuple[QWidget, ...]] = []
    for one in changed(run.plan):
        value = label(of_plan(one.values[0]), "body", wrap=True)
        value.setToolTip(one.key)
        rows.append((label(setting_of_plan(one.title), "body", "secondary", wrap=True), value))
    part.add_grid(rows)
    return part


def _sizes(title: str, predicted: int | None, measured: int) -> tuple[QLabel, ...]:
    known = NOTHING if predicted is None else format_bytes(predicted)
    row = _row(title, known, format_bytes(measured), ink="accent")
    if predicted is not None:
        row[1].setToolTip(exact(predicted))
    row[2].setToolTip(exact(measured))
    return row


def _row(title: str, predicted: str, measured: str, ink: str = "accent") -> tuple[QLabel, ...]:
    first = "faint" if ink == "faint" else ""
    return (label(title, "body", "secondary"), number(predicted, first), number(measured, ink))
