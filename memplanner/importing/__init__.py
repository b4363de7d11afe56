"""Trainers' own files read back into a plan. Needs no torch, and runs nothing that is read.

One module a trainer; ``recognising`` tells them apart by their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from os.path import isfile
from pathlib import Path

from memplanner.errors import PlanError
from memplanner.importing import (
    accelerate,
    axolotl,
    deepspeed,
    hugging_face,
    llama_factory,
    torchtitan,
)
from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys
from memplanner.importing.reading import (
    ENDINGS,
    parse_command,
    parse_values,
    read_text,
)
from memplanner.importing.recognising import recognised
from memplanner.plan import Plan

__all__ = ["ENDINGS", "Imported", "parse_trainer", "read_trainer"]

_READERS = {
    "accelerate": accelerate.read,
    "axolotl": axolotl.read,
    "llama_factory": llama_factory.read,
    "trl": hugging_face.read_trl,
    "hugging_face": hugging_face.read_hugging_face,
}


def read_trainer(path: str | Path, base: Plan | None = None) -> Imported:
    """The plan of the trainer's file ``path``.

    ``base`` is the plan for what the file leaves to others: cards that it is launched with, a
    script's sequence. JSON files beside it are read where it names them. Raises ``PlanError``
    with one sentence.
    """
    place = Path(path)
    text = read_text(place)
    return parse_trainer(text, base, origin=str(path), beside=_Beside(place.parent))


def parse_trainer(
    text: str,
    base: Plan | None = None,
    *,
    origin: str = "the file",
    beside: Mapping[str, str] | None = None,
) -> Imported:
    """The plan of the text of a trainer's file; ``beside`` are files next to it, by name.

    Raises ``PlanError``.
    """
    return _parsed(text, base, origin, {} if beside is None else beside).printable()


def _parsed(text: str, base: Plan | None, origin: str, beside: Mapping[str, str]) -> Imported:
    start = base or Plan()
    shell = "--module" in text or "--training." in text
    if shell and not text.lstrip().startswith(("{", "---")):
        return torchtitan.read(parse_command(text, origin), start, origin)
    values = parse_values(text, origin)
    name = recognised(values, origin)
    if name == "plan":
        plan = Plan.parse(values, origin=origin)
        return Imported(trainer="plan", title="memplanner", plan=plan)
    keys = Keys(values, origin)
    if name == "deepspeed":
        return deepspeed.read(keys, start, origin)
    return _READERS[name](keys, start, origin, beside)


class _Beside(dict[str, str]):
    """JSON files in a folder, read when they are asked for; bare names only."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # a text alone
        path = self._folder / Path(name).name
        if path.suffix != ".json" or not isfile(path):  # of any name at all
            return default
        try:
            return read_text(path)
        except PlanError:
            return default
