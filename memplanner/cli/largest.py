"""``memplanner largest``: the largest batch × context that fits a device."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from memplanner.cli.arguments import (
    AsJson,
    DeviceName,
    Inputs,
    PlanFile,
    Sets,
    Source,
    TrustCode,
    device_named,
    load_source,
)
from memplanner.cli.changes import PlanChanges
from memplanner.cli.commands import app
from memplanner.messages.largest import Largest, LargestRow
from memplanner.units import NOTHING, format_bytes, format_count

Contexts = Annotated[
    list[int] | None,
    typer.Option("--context", metavar="TOKENS", help="Asks about this context; repeatable."),
]


@app.command()
def largest(
    source: Source,
    plan: PlanFile = None,
    sets: Sets = None,
    contexts: Contexts = None,
    device: DeviceName = "auto",
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Find the largest batch for each context, and the longest context for each batch."""
    with redirect_stdout(sys.stderr):
        chosen, changes = device_named(device), PlanChanges(plan, sets, None, None)
        from memplanner.search.largest import largest as search

        model = load_source(source, inputs, trust_code)
        found = search(model, changes.plan(model), chosen, contexts=contexts)
    if as_json:
        print(found.model_dump_json(by_alias=True))
    else:
        _print(found, model.name)


def _print(found: Largest, name: str) -> None:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    written = f", each followed by {format_count(found.new_tokens)} new" if found.new_tokens else ""
    console.print(f"{name} on {found.device.name}: contexts are tokens of a sample{written}")
    console.print(_table(found.by_context, "Context", "Largest batch", context_first=True))
    if found.by_batch:
        console.print(_table(found.by_batch, "Batch", "Longest context", context_first=False))
    console.print(f"in {found.seconds:.1f} s")


def _table(rows: tuple[LargestRow, ...], first: str, second: str, *, context_first: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    on_device = any(row.device_high_bytes is not None for row in rows)
    for title in (first, second, "Peak", *(["Device, at most"] if on_device else [])):
        table.add_column(title, justify="right")
    for row in rows:
        context = format_count(row.sequence_length) if row.sequence_length else NOTHING
        batch = format_count(row.batch_size) if row.batch_size else NOTHING
        context += " (the model's limit)" if row.bounded and not context_first else ""
        peak = NOTHING if row.peak_bytes is None else format_bytes(row.peak_bytes)
        high = NOTHING if row.device_high_bytes is None else format_bytes(row.device_high_bytes)
        cells = (context, batch) if context_first else (batch, context)
        table.add_row(*cells, peak, *([high] if on_device else []))
    return table
