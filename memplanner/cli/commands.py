"""The terminal's commands. torch is imported only by those that need it."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from memplanner.cli.arguments import (
    AsJson,
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
from memplanner.cli.output import set_standard_output_apart
from memplanner.errors import MemplannerError, TrustNeeded, package_missing


class Commands(TyperGroup):
    """The commands. What a user can mend ends each in one sentence and exit code 2."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the command that ``args`` name; raises ``SystemExit``."""
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                sys.stdout.flush()  # a full disk shows here at the latest
        except MemplannerError as error:
            print(_sentence(error), file=sys.stderr)
            sys.exit(2)
        except ModuleNotFoundError as error:
            missing = package_missing(error)
            if missing is None:
                raise
            print(missing, file=sys.stderr)
            sys.exit(2)
        except BrokenPipeError:  # whoever reads has seen enough, as in “| head”
            sys.exit(1)


app = typer.Typer(
    cls=Commands,
    help="Plan the memory that training a model takes, before it runs.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def estimate(
    source: Source,
    plan: PlanFile = None,
    sets: Sets = None,
    batch_size: BatchSize = None,
    sequence_length: SequenceLength = None,
    device: DeviceName = "auto",
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    price_per_hour: Annotated[
        float | None,
        typer.Option("--price-per-hour", min=0, help="Of one card, to tell a price by tokens."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say how each number was made, instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Predict the memory of one training step, layer by layer, and its time."""
    from memplanner.cli.words import print_estimate
    from memplanner.report.explained import as_text, explanations

    with redirect_stdout(sys.stderr):  # what a model's code prints is not the answer
        chosen, changes = device_named(device), PlanChanges(plan, sets, batch_size, sequence_length)
        from memplanner.estimate import estimate as make_estimate
        from memplanner.run.keeping import known_calibration

        model = load_source(source, inputs, trust_code)
        calibration, trouble = known_calibration(chosen)
        prediction = make_estimate(model, changes.plan(model), chosen, calibration=calibration)
        message = prediction.message()
    if trouble:
        print(trouble, file=sys.stderr)
    if as_json:
        print(message.model_dump_json(by_alias=True))
    elif explain:
        print(as_text(explanations(message)))
    else:
        print_estimate(message, price_per_hour)


@app.command()
def apply(
    source: Source,
    plan: PlanFile = None,
    sets: Sets = None,
    batch_size: BatchSize = None,
    sequence_length: SequenceLength = None,
    device: DeviceName = "auto",
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    steps: Annotated[int, typer.Option("--steps", help="Optimizer steps to run.")] = 3,
    data: Annotated[
        Path | None, typer.Option("--data", help="A text file to train and judge on.")
    ] = None,
    quality: Annotated[
        bool,
        typer.Option("--quality/--no-quality", help="Judge what compressing real weights costs."),
    ] = True,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FOLDER", help="Save the compressed model there."),
    ] = None,
    ranks: Annotated[
        int | None,
        typer.Option(
            "--ranks", min=1, max=1024, help="sharding.cards_per_node: ranks on this machine."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Start although the estimate exceeds the free memory.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the plan for a few real steps and hold the prediction against what they took."""
    from memplanner.cli.words import RunPrinter

    printer = RunPrinter(sys.stdout, as_json=as_json)
    with redirect_stdout(sys.stderr):  # a model's code prints while its step is recorded, too
        device_named(device)  # a wrong name is said before the model is read
        changes = PlanChanges(plan, sets, batch_size, sequence_length, ranks)
        from memplanner.cli.interrupt import stopped_by_interrupt
        from memplanner.run.intention import intention
        from memplanner.run.process import apply as run_plan
        from memplanner.run.requested import RunOptions

        model = load_source(source, inputs, trust_code)
        planned = changes.plan(model)
        options = RunOptions(
            steps=steps,
            data=None if data is None else str(data),
            force=force,
            quality=quality,
            save=save,
        )
        if dry_run:
            meant = intention(model, planned, device, **options)
        else:
            try:
                with stopped_by_interrupt() as stop:
                    result = run_plan(
                        model, planned, device, **options, on_event=printer.event, stop=stop
                    )
            finally:
                printer.close()
    if dry_run:
        print(meant.model_dump_json(by_alias=True) if as_json else "\n".join(meant.sentences))
        return
    if result.outcome in {"failed", "out_of_memory"}:
        raise typer.Exit(1)


@app.command()
def calibrate(
    device: DeviceName = "auto",
    source: Annotated[
        str, typer.Option("--model", help="The model of the two short runs.")
    ] = "preset:smollm2-135m",
    as_json: AsJson = False,
) -> None:
    """Measure a card of this machine, and correct its estimates by two short runs."""
    from memplanner.cli.words import RunPrinter, print_calibration

    printer = RunPrinter(sys.stderr, as_json=False)
    with redirect_stdout(sys.stderr):
        chosen = device_named(device)
        from memplanner.cli.interrupt import stopped_by_interrupt
        from memplanner.run.calibrate import calibrate as measure

        try:
            with stopped_by_interrupt() as stop:
                record = measure(
                    load_source(source, None, False), chosen, on_event=printer.event, stop=stop
                )
        finally:
            printer.close()
    if as_json:
        print(record.model_dump_json(by_alias=True))
    else:
        print_calibration(record)


@app.command()
def export(
    source: Source,
    target: Annotated[str, typer.Option("--target", help="plan, accelerate, script, …")],
    output: Annotated[
        str | None, typer.Option("--output", help="A file, or a folder/; without it, print.")
    ] = None,
    plan: PlanFile = None,
    sets: Sets = None,
    batch_size: BatchSize = None,
    sequence_length: SequenceLength = None,
    device: DeviceName = "auto",
    inputs: Inputs = None,
    trust_code: TrustCode = False,
) -> None:
    """Write the plan for a trainer."""
    with redirect_stdout(sys.stderr):
        chosen, changes = device_named(device), PlanChanges(plan, sets, batch_size, sequence_length)
        from memplanner.export import render
        from memplanner.export.output import write_files

        model = load_source(source, inputs, trust_code)
        rendering = render(target, model, changes.plan(model), chosen)
        written = () if output is None else write_files(rendering.files, output)
    if output is None:
        for file in rendering.files:
            print(file.text, end="")
    for path in written:
        print(f"Wrote {path}")
    for sentence in rendering.cannot_say:
        print(f"{target} cannot say: {sentence}", file=sys.stderr)
    if rendering.runs_as is not None:
        print(f"{target} {rendering.runs_as.sentence}", file=sys.stderr)


@app.command()
def devices(as_json: AsJson = False) -> None:
    """List this machine's devices and the card catalogue."""
    from memplanner.cli.words import print_devices
    from memplanner.hardware import catalogue, local_devices

    found = (*local_devices(), *catalogue())
    if as_json:
        print("[" + ",\n".join(device.model_dump_json() for device in found) + "]")
    else:
        print_devices(found)


@app.command()
def presets(as_json: AsJson = False) -> None:
    """List the models that come with the program."""
    from memplanner.cli.words import print_presets
    from memplanner.model.presets import presets as all_presets

    found = all_presets()
    if as_json:
        print("[" + ",\n".join(preset.model_dump_json(by_alias=True) for preset in found) + "]")
    else:
        print_presets(found)


@app.command()
def gui(
    source: Annotated[str | None, typer.Argument(help="What to open.")] = None,
    theme: Annotated[str | None, typer.Option("--theme", help="light or dark.")] = None,
    python: Annotated[
        str | None, typer.Option("--python", help="The Python that the engine runs in.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Another machine for the engine, as ssh knows it.")
    ] = None,
) -> None:
    """Open the window."""
    from memplanner_ui.start import main as open_window

    arguments: list[str] = []
    for option, value in (("--theme", theme), ("--python", python), ("--host", host)):
        if value is not None:
            arguments += [option, value]
    if source is not None:
        arguments.append(source)
    raise typer.Exit(open_window(arguments))


def _sentence(error: MemplannerError) -> str:
    if isinstance(error, TrustNeeded):
        return f"{str(error).removesuffix('.')}: add --trust-code."
    return str(error)


def main() -> None:
    """The console script."""
    set_standard_output_apart()
    # torch's profiler, which measures kernels, would print a line at each start and stop
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    # and DDP one that it keeps no times of weightless tensors
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    app()
