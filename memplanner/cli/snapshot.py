"""``memplanner snapshot``: what a memory snapshot of torch says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from memplanner.cli.arguments import AsJson
from memplanner.cli.commands import app
from memplanner.messages.snapshot import Snapshot, SnapshotCurve
from memplanner.units import format_bytes, format_count

FEW_POINTS = 2000
"""Of a printed curve."""


@app.command()
def snapshot(
    path: Annotated[
        Path, typer.Argument(help="What torch.cuda.memory._dump_snapshot has written.")
    ],
    as_json: AsJson = False,
) -> None:
    """Read a memory snapshot of torch: each card's peak, and what held it. Nothing is unpickled."""
    from memplanner.run.snapshot_process import snapshot as read

    found = read(path, most_points=FEW_POINTS)
    if as_json:
        print(found.model_dump_json(by_alias=True))
    else:
        _print(found)


def _print(found: Snapshot) -> None:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for curve in found.curves:
        console.print(_sentence(curve))
        table = Table(box=None, pad_edge=False)
        for title in ("At the peak", "Allocations"):
            table.add_column(title, justify="right")
        table.add_column("By")
        for stack in curve.stacks:
            where = " ← ".join(stack.frames[:3]) or "not recorded"
            table.add_row(format_bytes(stack.size_bytes), format_count(stack.count), where)
        console.print(table)


def _sentence(curve: SnapshotCurve) -> str:
    before = (
        f", {format_bytes(curve.before_bytes)} of it from before the history"
        if curve.before_bytes
        else ""
    )
    return (
        f"cuda:{curve.device}: {format_count(curve.events)} events, allocated at most "
        f"{format_bytes(curve.peak_bytes)}{before}, reserved at most "
        f"{format_bytes(curve.reserved_peak_bytes)}"
    )
