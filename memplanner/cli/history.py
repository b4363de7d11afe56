"""``memplanner history``: past runs, and how far their predictions were off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from memplanner.cli.arguments import AsJson
from memplanner.cli.commands import app
from memplanner.cli.tables import console_of, table_of
from memplanner.report import past_runs
from memplanner.units import format_count

if TYPE_CHECKING:
    from memplanner.history.kept import KeptRuns
    from memplanner.messages.history import KeptRun

NONE_YET = (
    "No runs are kept yet; memplanner apply runs a plan for some steps and keeps what it measures."
)
_WORDS = 4
"""Columns of words, before those of figures."""
_JUDGED = 500
"""How many of the latest runs the errors are told of, however few are listed."""


@app.command()
def history(
    device: Annotated[
        str | None,
        typer.Option("--device", help="Only the runs of one device: cpu, cuda:0, or its name."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The latest so many runs.")] = 40,
    as_json: AsJson = False,
) -> None:
    """List past runs: predicted against measured, the latest first."""
    from memplanner.hardware import card_identity, find_device
    from memplanner.history.kept import kept_runs

    card = None if device is None else card_identity(find_device(device))
    found = kept_runs(card, max(limit, _JUDGED))
    if as_json:
        shown = found.runs[:limit]
        print(json.dumps([run.model_dump(mode="json", by_alias=True) for run in shown]))
    else:
        _print(found, limit)


def _print(found: KeptRuns, limit: int) -> None:
    console = console_of()
    if found.notice:
        console.print(found.notice)
    if not found.total:
        console.print(NONE_YET)
        return
    titles, *rows = past_runs.table(found.runs[:limit])
    table = table_of(*titles)
    for place, column in enumerate(table.columns):
        column.justify = "left" if place < _WORDS else "right"
        if titles[place] != "Plan":  # which alone is cut where there is no room
            column.min_width = max(len(cells[place]) for cells in (titles, *rows))
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for runs in _by_card(found.runs):
        console.print(f"{runs[0].device.name}: {past_runs.told(runs)}")
    if found.unreadable:
        console.print(
            f"{past_runs.counted(found.unreadable)} cannot be read by this version and "
            f"{'is' if found.unreadable == 1 else 'are'} left out."
        )
    older = found.total - len(rows) - found.unreadable
    if older > 0:
        console.print(f"{format_count(older)} older not listed; --limit lists more.")


def _by_card(runs: tuple[KeptRun, ...]) -> list[list[KeptRun]]:
    """The runs of each card, in the order in which cards come."""
    found: dict[str, list[KeptRun]] = {}
    for run in runs:
        found.setdefault(run.card, []).append(run)
    return list(found.values())
