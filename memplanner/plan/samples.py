"""Sample plans that come with the program: a model, a device, a plan, and what it shows."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from memplanner.plan.file import parse_values
from memplanner.plan.plan import Plan

ORDER = (
    "qlora-8b-24-gb",
    "full-8b-80-gb",
    "full-70b-8-cards",
    "full-1b-16-gb",
    "vit-12-gb",
    "run-135m-here",
)
"""The samples, by the names of their files in ``resources/samples``."""


class Sample(BaseModel):
    """One file. Opened, it is a plan that no file has: a copy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    sentence: str
    """What it shows."""
    source: str
    """Of the model, such as ``preset:gpt2``."""
    device: str
    """As ``find_device`` takes it."""
    verdict: Literal["fits", "does_not_fit"]
    """What an estimate says of it."""
    plan: Plan


@cache
def samples() -> tuple[Sample, ...]:
    """Every sample, in order."""
    return tuple(map(_read, ORDER))


def _read(name: str) -> Sample:
    file = files("memplanner.resources") / "samples" / f"{name}.yaml"
    return Sample.model_validate({"name": name, **parse_values(file.read_text("utf-8"), name)})
