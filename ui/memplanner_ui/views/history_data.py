"""Which past runs are shown: of one card, with some words in them, in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from memplanner.messages.device import Device
from memplanner.messages.history import KeptRun
from memplanner.report import past_runs
from memplanner_ui.language import translate


@dataclass(frozen=True, slots=True)
class PastRuns:
    """What the engine has told of the history."""

    runs: tuple[KeptRun, ...] = ()
    """The latest first."""
    total: int = 0
    """How many are kept, those that are not here too."""
    unreadable: int = 0
    cards: dict[str, str] = field(default_factory=dict)
    """By a device's selector, what the history knows it by."""
    _rows: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def row(self, run: KeptRun) -> tuple[str, ...]:
        """The cells of ``past_runs.TITLES``, made once."""
        if run.id not in self._rows:
            self._rows[run.id] = past_runs.row(run)
        return self._rows[run.id]

    def having(self, runs: Sequence[KeptRun], words: str) -> tuple[KeptRun, ...]:
        """Those in whose row every one of some words is, in any case."""
        wanted = words.casefold().split()
        if not wanted:
            return tuple(runs)
        rows = ((run, " ".join(self.row(run)).casefold()) for run in runs)
        return tuple(run for run, row in rows if all(word in row for word in wanted))

    def card_of(self, device: Device | None) -> str | None:
        """What the history knows a device by; None of one that is not in this machine."""
        if device is None or not device.local:
            return None
        return self.cards.get(device.selector)

    def of(self, card: str | None) -> tuple[KeptRun, ...]:
        """The runs of one card, or all; the latest first."""
        return tuple(run for run in self.runs if card is None or run.card == card)

    def names(self) -> dict[str, str]:
        """By card its device's name, told apart where two cards have the same; latest first."""
        named: dict[str, str] = {}
        met: Counter[str] = Counter()
        for run in self.runs:
            if run.card not in named:
                name = run.device.name
                met[name] += 1
                named[run.card] = f"{name} ({met[name]})" if met[name] > 1 else name
        return named

    def find(self, number: int | None) -> KeptRun | None:
        """The run of a number."""
        return next((run for run in self.runs if run.id == number), None)


def said(cells: Sequence[str]) -> str:
    """The row of a run as a sentence: for tool tips and screen readers."""
    return translate(
        "Views",
        "{when}, {model}, {plan}: predicted {predicted}, measured {measured}, error {error}",
    ).format(
        when=cells[0],
        model=cells[1],
        plan=cells[2],
        predicted=cells[4],
        measured=cells[5],
        error=cells[6],
    )
