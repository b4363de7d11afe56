"""The tour of three steps: shown with the first plan, skipped for good, begun again from a menu."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from memplanner_ui.help.callout import Callout
from memplanner_ui.language import translate
from memplanner_ui.workspace import LAYERS

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

OPTION = "training.batch_size"
"""The option of the plan that is pointed at: its effect is known for every model."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is said of a part of the window."""

    heading: str
    words: str
    target: Callable[[], QWidget]


class Tour(QObject):
    """Three notes, one after the other. Nothing waits for them."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.note = Callout(window)
        self.note.next_wanted.connect(self.next)
        self.note.skip_wanted.connect(self.end)
        self._at = -1
        self.steps = (
            Step(
                translate("Help", "Does it fit?"),
                translate(
                    "Help",
                    "The verdict, what the card holds at the peak, and how long a step takes. They "
                    "follow every edit; press one to read how it was made.",
                ),
                lambda: window.header.row,
            ),
            Step(
                translate("Help", "What would change?"),
                translate(
                    "Help",
                    "Beside every option stands what choosing it would save or take, before you "
                    "choose it. Ctrl Z takes an edit back.",
                ),
                lambda: window.left.plan.sections()["training"].rows[OPTION],
            ),
            Step(
                translate("Help", "Find a plan, then run it"),
                translate(
                    "Help",
                    "Fit… and the Search view find plans that fit. Apply runs the plan for a few "
                    "real steps on this machine, and puts what is measured beside what was "
                    "predicted.",
                ),
                lambda: window.tools.apply,
            ),
        )
        document = window.session.document
        document.estimate_changed.connect(lambda _: self._offer())
        document.model_changed.connect(self._on_model)

    @property
    def step(self) -> int:
        """Which step is shown, counted from 0; −1 for none."""
        return self._at

    def begin(self) -> None:
        """Shows the first step, with what it points at."""
        window = self._window
        window.workspace.show_view(LAYERS)
        window.actions_["left_dock"].setChecked(True)
        window.show_docks()
        self._at = 0
        QTimer.singleShot(0, self, self._show)  # once the docks have their place

    def next(self) -> None:
        """The next step; after the last the tour is over."""
        if self._at + 1 < len(self.steps):
            self._at += 1
            self._show()
        else:
            self.end()

    def end(self) -> None:
        """Over, for good: it comes again only when it is asked for."""
        self._at = -1
        self.note.close_note()
        self._window.session.settings.update(tour_seen=True)

    def _offer(self) -> None:
        document, seen = self._window.session.document, self._window.session.settings.values
        if self._at < 0 and not seen.tour_seen and document.estimate is not None:
            self.begin()

    def _on_model(self) -> None:
        if self._window.session.document.model is None and self._at >= 0:
            self.end()

    def _show(self) -> None:
        if not 0 <= self._at < len(self.steps) or not self._window.isVisible():
            return  # it is over, or the window was closed before its docks had their place
        step, count = self.steps[self._at], len(self.steps)
        self.note.show_at(
            step.target(),
            step.heading,
            step.words,
            translate("Help", "{at} of {count}").format(at=self._at + 1, count=count),
            last=self._at + 1 == count,
        )
