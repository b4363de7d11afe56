"""``memplanner compare``: several plans of one model side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memplanner.cli.arguments import (
    AsJson,
    DeviceName,
    Inputs,
    Source,
    TrustCode,
    device_named,
    load_source,
)
from memplanner.cli.commands import app
from memplanner.cli.tables import bold, console_of, table_of
from memplanner.errors import MemplannerError
from memplanner.report import differences
from memplanner.report.differences import Compared

if TYPE_CHECKING:
    from memplanner.messages.device import Device
    from memplanner.model import Model
    from memplanner.plan import Plan

PLAN_ENDINGS = (".plan.yaml", ".plan.yml", ".yaml", ".yml")
_MOST_LAYERS = 20
_REFUSED = "cannot be carried out"
"""In the table; the whole sentence, which may be long, stands below."""


@app.command()
def compare(
    source: Source,
    plans: Annotated[
        list[Path], typer.Argument(help="Plans' YAML files; the first is the baseline.")
    ],
    device: DeviceName = "auto",
    layers: Annotated[
        bool, typer.Option("--layers", help="Show which modules differ, too.")
    ] = False,
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Set several plans side by side: bytes by category, step time, settings."""
    with redirect_stdout(sys.stderr):
        chosen = device_named(device)
        from memplanner.plan.file import read_plan

        read = [(name_of(path), read_plan(path)) for path in plans]
        found = estimated(load_source(source, inputs, trust_code), read, chosen)
    if as_json:
        print(json.dumps([_as_json(one) for one in found]))
    else:
        _print(found, layers=layers)
    if all(one.estimate is None for one in found):
        raise typer.Exit(1)


def name_of(path: Path) -> str:
    """A plan's name: that of its file, without the ending."""
    ending = next((one for one in PLAN_ENDINGS if path.name.endswith(one)), "")
    return path.name.removesuffix(ending) or path.name


def estimated(
    model: Model, plans: Sequence[tuple[str, Plan]], device: Device
) -> tuple[Compared, ...]:
    """Each of the named plans with its estimate, or the sentence why there is none."""
    from memplanner.estimate import estimate
    from memplanner.run.keeping import known_calibration

    calibration = known_calibration(device)[0]
    found = []
    for name, plan in plans:
        try:
            made = estimate(model, plan, device, calibration=calibration)
            found.append(Compared(name, made.message()))
        except MemplannerError as error:
            found.append(Compared(name, None, str(error).removeprefix("the plan: ")))
    return tuple(found)


def _as_json(one: Compared) -> dict[str, object]:
    made = None if one.estimate is None else one.estimate.model_dump(mode="json", by_alias=True)
    return {"name": one.name, "estimate": made, "sentence": one.sentence}


def _print(found: Sequence[Compared], *, layers: bool) -> None:
    console = console_of()
    short = [one if one.estimate else Compared(one.name, None, _REFUSED) for one in found]
    tables = [differences.table(short)]
    if layers:
        rows = differences.table(short, layers=True)
        tables.append(rows[: _MOST_LAYERS + 1])
    for titles, *rows in tables:
        table = table_of(*titles)
        for row in rows:
            table.add_row(*(bold(cell) if row[0] == "Peak" else cell for cell in row))
        console.print(table)
    for place, one in enumerate(found):
        if one.estimate is None:
            console.print(f"{differences.letter(place)} {one.name}: {one.sentence}")
    if layers and len(rows) > _MOST_LAYERS + 1:
        console.print("Modules that differ by less are left out; --json has all.")
