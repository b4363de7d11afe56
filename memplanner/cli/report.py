"""``memplanner report``: one HTML file about a plan, and its layer table as CSV."""

from __future__ import annotations

import platform
import sys
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from memplanner.cli.arguments import (
    BatchSize,
    DeviceName,
    Inputs,
    PlanFile,
    SequenceLength,
    Sets,
    Source,
    TrustCode,
    device_named,
    load_source,
)
from memplanner.cli.changes import PlanChanges
from memplanner.cli.commands import app
from memplanner.cli.compare import estimated, name_of
from memplanner.errors import ExportError, RunError
from memplanner.messages.run import RunResult
from memplanner.writing import why, write_whole


@app.command()
def report(
    source: Source,
    plan: PlanFile = None,
    sets: Sets = None,
    batch_size: BatchSize = None,
    sequence_length: SequenceLength = None,
    device: DeviceName = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="The HTML file to write.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="The layer table to write.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="What “memplanner apply --json” printed, to hold against."),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", metavar="PLAN", help="Another plan's YAML; repeatable."),
    ] = None,
    inputs: Inputs = None,
    trust_code: TrustCode = False,
) -> None:
    """Write a report: verdict, layers, timeline, other plans, and how each number is made."""
    if output is None and table is None:
        raise ExportError("Nothing to write; name a file with --output, --csv or both.")
    with redirect_stdout(sys.stderr):
        chosen, changes = device_named(device), PlanChanges(plan, sets, batch_size, sequence_length)
        measured = None if run is None else _read_run(run)
        from memplanner.plan.file import read_plan

        others = [(name_of(path), read_plan(path)) for path in compare or ()]
        import torch

        from memplanner import __version__
        from memplanner.estimate import estimate
        from memplanner.report import page
        from memplanner.report.layers import layers_csv
        from memplanner.run.keeping import known_calibration

        model = load_source(source, inputs, trust_code)
        calibration, _ = known_calibration(chosen)
        made = estimate(model, changes.plan(model), chosen, calibration=calibration).message()
        report_of = page.Report(
            estimate=made,
            versions={
                "memplanner": __version__,
                "torch": torch.__version__,
                "Python": platform.python_version(),
            },
            date=f"{datetime.now():%Y-%m-%d}",
            name="This plan" if plan is None else name_of(plan),
            others=estimated(model, others, chosen),
            run=measured,
        )
    if output is not None:
        _write(output, page.html(report_of))
    if table is not None:
        _write(table, layers_csv(made))


def _read_run(path: Path) -> RunResult:
    """The result at the end of what ``apply --json`` printed. Raises ``RunError``."""
    try:
        lines = path.read_text("utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = why(error) if isinstance(error, OSError) else "it is no text"
        raise RunError(f"{path} cannot be read: {reason}; name what a run printed.") from error
    try:
        return RunResult.model_validate_json(lines[-1] if lines else "")
    except ValidationError as error:
        raise RunError(
            f"{path} does not end in a run's result; name what “memplanner apply --json” printed."
        ) from error


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        sentence = f"{path} cannot be written: {why(error)}; name another file."
        raise ExportError(sentence) from error
    print(f"Wrote {path}")
