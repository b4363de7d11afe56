"""The terminal's commands. torch is imported only by those that need it."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memplanner.errors import MemplannerError, PlanError, SourceError

if TYPE_CHECKING:
    from memplanner.model import Model
    from memplanner.plan import Plan

app = typer.Typer(
    help="Plan the memory that training a model takes, before it runs.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Source = Annotated[
    str,
    typer.Argument(
        help="preset:NAME, a Hugging Face folder or config.json, .safetensors, .gguf, a recipe.py, "
        "package.module:callable, or a hub id such as org/name."
    ),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="A plan's YAML.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Changes a key of the plan; repeatable."),
]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="training.batch_size")]
SequenceLength = Annotated[
    int | None, typer.Option("--sequence-length", help="training.sequence_length")
]
DeviceName = Annotated[
    str, typer.Option("--device", help='cpu, auto, cuda:0, or a card such as "H100 80GB".')
]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="NAME=SHAPE:TYPE", help="For an importable; repeatable."),
]
TrustCode = Annotated[
    bool, typer.Option("--trust-code", help="Let code that comes with the model run.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    as_json: AsJson = False,
) -> None:
    """Predict the memory of one training step, layer by layer."""
    from memplanner.cli.words import print_estimate

    with redirect_stdout(sys.stderr):  # what a model's code prints is not the answer
        from memplanner.estimate import estimate as make_estimate

        model = _load(source, inputs, trust_code)
        planned = _plan(model, plan, sets, batch_size, sequence_length)
        prediction = make_estimate(model, planned, device)
        message = prediction.message()
    if as_json:
        print(message.model_dump_json(by_alias=True))
    else:
        print_estimate(message)


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
    data: Annotated[Path | None, typer.Option("--data", help="A text file to train on.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Start although the estimate exceeds the free memory.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the plan for a few real steps and hold the prediction against what they took."""
    from memplanner.cli.words import RunPrinter

    with redirect_stdout(sys.stderr):
        from memplanner.run import apply as run_plan

        model = _load(source, inputs, trust_code)
        planned = _plan(model, plan, sets, batch_size, sequence_length)
    printer = RunPrinter(as_json=as_json)
    try:
        result = run_plan(
            model,
            planned,
            device,
            steps=steps,
            data=None if data is None else str(data),
            force=force,
            on_event=printer.event,
        )
    finally:
        printer.close()
    if result.outcome in {"failed", "out_of_memory"}:
        raise typer.Exit(1)


@app.command()
def export(
    source: Source,
    target: Annotated[str, typer.Option("--target", help="plan, accelerate, script, …")],
    output: Annotated[
        Path | None, typer.Option("--output", help="A file or folder; without it, print.")
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
        from memplanner.export import export as write
        from memplanner.export import render
        from memplanner.hardware import find_device

        chosen = find_device(device)
        model = _load(source, inputs, trust_code)
        planned = _plan(model, plan, sets, batch_size, sequence_length)
        rendering = render(target, model, planned, chosen)
        written = () if output is None else write(model, planned, target, str(output), chosen)
    if output is None:
        for file in rendering.files:
            print(file.text, end="")
    for path in written:
        print(f"Wrote {path}")
    for sentence in rendering.cannot_say:
        print(f"{target} cannot say: {sentence}", file=sys.stderr)


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
) -> None:
    """Open the window."""
    from memplanner_ui.application import main as open_window

    arguments = ["memplanner"]
    if theme is not None:
        arguments += ["--theme", theme]
    if source is not None:
        arguments.append(source)
    raise typer.Exit(open_window(arguments))


def _load(source: str, inputs: list[str] | None, trust_code: bool) -> Model:
    from memplanner.model import load

    return load(source, inputs=inputs or (), trust_code=trust_code)


def _plan(
    model: Model,
    file: Path | None,
    sets: list[str] | None,
    batch_size: int | None,
    sequence_length: int | None,
) -> Plan:
    """The plan file's, or the model's first one, with the terminal's changes."""
    from memplanner.model.first_plan import default_plan
    from memplanner.plan.file import read_plan

    planned = default_plan(model) if file is None else read_plan(file)
    changes: dict[str, Any] = {}
    for text in sets or ():
        key, separator, value = text.partition("=")
        if not separator:
            raise PlanError(f"--set {text}: write it as KEY=VALUE, such as precision=fp32.")
        changes[key.strip()] = value.strip()
    if batch_size is not None:
        changes["training.batch_size"] = batch_size
    if sequence_length is not None:
        changes["training.sequence_length"] = sequence_length
    return planned.with_values(changes, origin="the terminal") if changes else planned


def main() -> None:
    """The console script. A user's error is one sentence and exit code 2."""
    try:
        app()
    except MemplannerError as error:
        print(error, file=sys.stderr)
        if isinstance(error, SourceError) and type(error).__name__ == "TrustNeeded":
            print("Add --trust-code to let that code run.", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
