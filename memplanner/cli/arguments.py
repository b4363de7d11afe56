"""What the commands take alike, and what it names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memplanner.errors import TrustNeeded

if TYPE_CHECKING:
    from memplanner.messages.device import Device
    from memplanner.model import Model

Source = Annotated[
    str,
    typer.Argument(
        help="preset:NAME, a Hugging Face folder or config.json, .safetensors, .gguf, .pt, .pt2, "
        ".onnx, .keras, a recipe.py, "
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
    bool,
    typer.Option(
        "--trust-code",
        help="Let the code of a recipe or importable, or what comes with the model, run.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def device_named(name: str) -> Device:
    """The device that ``--device`` names. Raises ``DeviceError`` for one that is not there."""
    from memplanner.hardware import find_device

    return find_device(name)


def load_source(source: str, inputs: list[str] | None, trust_code: bool) -> Model:
    """The model that ``source`` names; whoever sits at a terminal is asked where code would run.

    Raises ``SourceError``, ``TrustNeeded`` where nobody can be asked, and ``Abort`` after a no.
    """
    from memplanner.model import load

    try:
        return load(source, inputs=inputs or (), trust_code=trust_code)
    except TrustNeeded as error:
        if not at_terminal():
            raise
        print(error, file=sys.stderr)
        typer.confirm("Run it?", abort=True, err=True)
    return load(source, inputs=inputs or (), trust_code=True)


def at_terminal() -> bool:
    """Whether somebody sees what is asked and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()
