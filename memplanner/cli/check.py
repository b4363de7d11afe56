"""``memplanner check``: whether what a trainer's file asks for fits a device, for a CI job."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from memplanner.cli.arguments import (
    AsJson,
    Inputs,
    Sets,
    TrustCode,
    device_named,
    load_source,
)
from memplanner.cli.changes import PlanChanges
from memplanner.cli.commands import app
from memplanner.cli.words import said
from memplanner.errors import DeviceError, SourceError
from memplanner.messages.check import Checked
from memplanner.messages.search import SmallestChange
from memplanner.units import format_bytes

if TYPE_CHECKING:
    from memplanner.importing import Imported
    from memplanner.messages.device import Device
    from memplanner.model import Model
    from memplanner.plan import Plan
    from memplanner.search.smallest_change import SmallestChanges

TrainerFile = Annotated[
    Path,
    typer.Argument(
        help="A YAML of axolotl, TRL, transformers, LLaMA-Factory or accelerate, a JSON of "
        "DeepSpeed, a shell file of torchtitan's flags, or a plan."
    ),
]
LONGEST_SEARCH_SECONDS = 30.0
WORDS = {"fits": "fits", "at_risk": "may not fit", "does_not_fit": "does not fit"}


@app.command()
def check(
    file: TrainerFile,
    device: Annotated[
        str, typer.Option("--device", help='cpu, cuda:0, or a card such as "A100 80GB".')
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="SOURCE", help="In place of the one that the file names."),
    ] = None,
    sets: Sets = None,
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a trainer's file fits a device: exit code 0, or 1 where it does not."""
    with redirect_stdout(sys.stderr):  # what a model's code prints is not the answer
        chosen = device_named(device)
        read, changes = _read(file, None), PlanChanges(None, sets, None, None)
        source = model or read.source
        if source is None:
            raise SourceError(f"{file} names no model; add --model, such as preset:llama-3.1-8b.")
        opened = load_source(source, inputs, trust_code)
        # what the file leaves open is as for a model that was just opened
        start = changes.plan(opened)
        read = _read(file, start)
        checked = _checked(file, read, opened, changes.over(read.plan), chosen)
    if as_json:
        print(checked.model_dump_json(by_alias=True))
    else:
        _print(checked)
    if not checked.fits:
        raise typer.Exit(1)


def _read(file: Path, base: Plan | None) -> Imported:
    from memplanner.importing import read_trainer

    return read_trainer(file, base)


def _checked(file: Path, read: Imported, model: Model, plan: Plan, device: Device) -> Checked:
    from memplanner.estimate import estimate
    from memplanner.run.keeping import known_calibration
    from memplanner.search.smallest_change import SmallestChanges

    calibration, trouble = known_calibration(device)
    message = estimate(model, plan, device, calibration=calibration).message()
    if message.verdict is None or message.spare_bytes is None:
        raise DeviceError(
            f"The memory of {device.name} is not known; name a card of the catalogue."
        )
    peak, fits = message.peak, message.verdict == "fits"
    changes: tuple[SmallestChange, ...] = ()
    if not fits:
        changes = _changes(SmallestChanges(model, plan, device, calibration=calibration))
    notes = (*read.notes, *message.notes, *([trouble] if trouble else []))
    return Checked(
        file=str(file),
        trainer=read.title,
        model=model.name,
        device=device.name,
        fits=fits,
        verdict=message.verdict,
        allocated_bytes=peak.allocated_bytes,
        device_bytes=peak.device_bytes,
        device_high_bytes=peak.device_high_bytes,
        spare_bytes=message.spare_bytes,
        plan=plan,
        no_place=read.no_place,
        notes=notes,
        changes=changes,
    )


def _changes(search: SmallestChanges) -> tuple[SmallestChange, ...]:
    """What is found in some seconds; a job does not wait for every list of changes."""
    ends = perf_counter() + LONGEST_SEARCH_SECONDS
    while search.go_on() and perf_counter() < ends:
        pass
    return () if search.fits_already else search.found()


def _print(checked: Checked) -> None:
    peak = checked.allocated_bytes if checked.device_bytes is None else checked.device_bytes
    spare = checked.spare_bytes
    gap = f"{format_bytes(abs(spare))} {'to spare' if spare >= 0 else 'are missing'}"
    high = checked.device_high_bytes
    at_most = "" if high is None else f", at most {format_bytes(high)}"
    print(
        f"{checked.file} ({checked.trainer}): {checked.model} {WORDS[checked.verdict]} "
        f"{checked.device}, {gap}"
    )
    print(f"Peak {format_bytes(peak)}{at_most}")
    for change in checked.changes:
        print(f"It fits with: {said(change.found)}")
    for sentence in checked.no_place:
        print(f"Not in these figures: {sentence}", file=sys.stderr)
    for sentence in checked.notes:
        print(f"Note: {sentence}", file=sys.stderr)
