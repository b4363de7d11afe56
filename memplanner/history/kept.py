"""Past runs as they are listed: without their curves, and with their error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memplanner.history.store import History, default_path
from memplanner.messages.history import KeptRun, RunRecord
from memplanner.messages.run import RunFigures


@dataclass(frozen=True, slots=True)
class KeptRuns:
    """What a history holds of runs."""

    runs: tuple[KeptRun, ...] = ()
    """The latest first."""
    total: int = 0
    """How many there are, those that are not listed too."""
    unreadable: int = 0
    """Of those that were looked at, how many make no sense to this version."""
    notice: str = ""
    """What happened to the file, as a sentence."""


def kept_runs(card: str | None = None, limit: int = 500, path: Path | None = None) -> KeptRuns:
    """The latest runs, of one card where it is given; nothing where there is no history yet.

    Makes no file. Raises ``HistoryError``.
    """
    file = default_path() if path is None else path
    if not file.exists():
        return KeptRuns()
    with History(file) as history:
        found = history.numbered_runs(card=card, limit=limit)
        total = history.count_runs(card)
        return KeptRuns(
            tuple(_kept(*one) for one in found), total, history.unreadable, history.notice
        )


def _kept(number: int, run: RunRecord) -> KeptRun:
    fields = {name: getattr(run, name) for name in RunRecord.model_fields}
    predicted, measured = run.predicted.allocated_bytes, run.measured.allocated_bytes
    fields["predicted"], fields["measured"] = _plain(run.predicted), _plain(run.measured)
    error = (predicted - measured) / measured if measured else None
    return KeptRun(id=number, error=error, **fields)


def _plain(figures: RunFigures) -> RunFigures:
    return figures.model_copy(update={"curve_bytes": (), "curve_phases": ()})
