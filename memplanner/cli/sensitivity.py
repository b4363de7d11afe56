"""The command ``sensitivity``: what layers lose in few bits, and bits for a budget."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

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
from memplanner.errors import PlanError
from memplanner.messages.sensitivity import BitAssignment, Sensitivity, SensitivityProgress
from memplanner.units import format_bytes, parse_bytes

SHOWN = 12
"""Layers that lose most, which are listed; the JSON has all."""


@app.command()
def sensitivity(
    source: Source,
    plan: PlanFile = None,
    sets: Sets = None,
    device: DeviceName = "auto",
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    data: Annotated[Path | None, typer.Option("--data", help="A text file to measure on.")] = None,
    bits: Annotated[
        str, typer.Option("--bits", metavar="LIST", help="What a layer may be kept in.")
    ] = "8,4,3,2,nf4",
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="SIZE", help="Bits for weights of this size together."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Solve the choice exactly, not greedily.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the plan with the bits.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what each layer loses in few bits, and choose bits within a budget."""
    budget_bytes = _budget(budget, write)
    with redirect_stdout(sys.stderr):
        changes = PlanChanges(plan, sets, None, None)
        from memplanner.cli.interrupt import stopped_by_interrupt
        from memplanner.run.sensitivity_process import sensitivity as measure

        chosen = device_named(device)
        model = load_source(source, inputs, trust_code)
        planned = changes.plan(model)
        candidates = tuple(filter(None, (part.strip() for part in bits.split(","))))
        with stopped_by_interrupt() as stop:
            found = measure(
                model,
                planned,
                chosen,
                data=None if data is None else str(data),
                candidates=candidates,
                on_progress=_show,
                stop=stop,
            )
        assigned = None
        if budget_bytes is not None:
            from memplanner.techniques.bit_assignment import assign_bits

            assigned = assign_bits(found, budget_bytes, exact=exact)
            if write is not None:
                from memplanner.plan.file import dump_plan
                from memplanner.writing import write_whole

                changed: dict[str, object] = {"quantization.per_layer": list(assigned.per_layer)}
                if planned.quantization.method == "none":
                    changed["quantization.method"] = "linear"
                write_whole(write, dump_plan(planned.with_values(changed)))
    if as_json:
        rest = "null" if assigned is None else assigned.model_dump_json(by_alias=True)
        print(f'{{"sensitivity":{found.model_dump_json(by_alias=True)},"assignment":{rest}}}')
        return
    _print(found, assigned)
    if write is not None:
        print(f"Wrote {write}")


def _budget(text: str | None, write: Path | None) -> int | None:
    if text is None:
        if write is not None:
            raise PlanError("--write needs bits to write; give a --budget such as 120MiB.")
        return None
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise PlanError(f"--budget {error}.") from error


def _show(progress: SensitivityProgress) -> None:
    share = "" if progress.fraction is None else f" ({progress.fraction:.0%})"
    print(f"{progress.text}{share}", file=sys.stderr, flush=True)


def _print(found: Sensitivity, assigned: BitAssignment | None) -> None:
    from memplanner.cli.tables import console_of, table_of
    from memplanner.techniques.bit_assignment import error_of

    console = console_of()
    values = [each.value for each in found.layers[0].choices[1:]] if found.layers else []
    with_loss = found.loss is not None
    shown = f", the largest {SHOWN} of {len(found.layers)}" if len(found.layers) > SHOWN else ""
    what = "Expected rise of the loss" if with_loss else "Output error"
    columns = [f"{what} on {found.data}{shown}", "As it is", *map(_words, values)]
    table = table_of(*columns, *([] if assigned is None else ["Chosen"]))
    ranked = sorted(found.layers, key=lambda layer: -max(map(error_of, layer.choices)))
    for layer in ranked[:SHOWN]:
        cells = [format_bytes(layer.choices[0].size_bytes)]
        for choice in layer.choices[1:]:
            rise = choice.output_error if choice.loss_rise is None else choice.loss_rise
            cells.append(f"{rise:.2g}")
        if assigned is not None:
            cells.append(_words(assigned.values[layer.name]))
        table.add_row(layer.name, *cells)
    console.print(table)
    for note in found.notes:
        console.print(note)
    if assigned is not None:
        words = "expected rise of the loss" if with_loss else "sum of squared output errors"
        console.print(
            f"Chosen: {format_bytes(assigned.size_bytes)} ({assigned.size_bytes} B), "
            f"{words} {assigned.error:.3g}"
        )
        console.print(f"quantization.per_layer: {', '.join(assigned.per_layer)}")


def _words(value: str) -> str:
    if value == "16":
        return "as it is"
    return "NF4" if value == "nf4" else f"{value} bits"
