"""Whether an engine can run in a Python, and what would have to be installed there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from memplanner.messages.environment import Environment
from memplanner_ui.engine import Place
from memplanner_ui.language import translate

OLDEST_PYTHON = (3, 11)
ENGINE = "memplanner"
OPTIONAL = ("bitsandbytes", "torchao", "deepspeed", "flash-attn")
"""What some plans need, and others do not."""
FIRST = ("torch", "transformers", "accelerate", "peft", "pydantic")
"""Named before others where they are missing; as many names are told."""
_NOT_FOR_ENGINES = {"pyside6-essentials", "pyqtgraph", "typer", "rich"}
"""What only the window and the terminal need."""
_REQUIREMENT = re.compile(r"([\w.-]+)>=([\d.]+)$")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package of an engine, and the oldest version of it that will do."""

    name: str
    oldest: str

    def __str__(self) -> str:
        return f"{self.name}>={self.oldest}"


@dataclass(frozen=True, slots=True)
class Fitness:
    """What is to be said of an environment, and whether an engine can run in it."""

    usable: bool
    brought: bool
    """The window brings its own engine along."""
    sentence: str
    command: str = ""
    """What a user runs to put it right; empty where nothing need be, or no command would."""


def requirements() -> tuple[Requirement, ...]:
    """What an engine needs, as this program's own metadata says it."""
    try:
        written = requires(ENGINE) or []
    except PackageNotFoundError:
        return ()
    found = [_REQUIREMENT.match(line.split(",")[0].strip()) for line in written if ";" not in line]
    return tuple(
        Requirement(match.group(1), match.group(2))
        for match in found
        if match is not None and match.group(1).lower() not in _NOT_FOR_ENGINES
    )


def own_version() -> str:
    """The version of this program; empty where it has no metadata."""
    try:
        return version(ENGINE)
    except PackageNotFoundError:
        return ""


def asked_for() -> tuple[str, ...]:
    """The packages that an environment is asked for."""
    return (ENGINE, *(one.name for one in requirements()), *OPTIONAL)


def fitness(place: Place, found: Environment, needed: Sequence[Requirement]) -> Fitness:
    """Judges what an environment has said of itself."""
    if numbers(found.python)[:2] < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Fitness(
            False,
            False,
            translate(
                "Environment", "Python {python} is too old: the engine needs {oldest} or newer."
            ).format(python=found.python, oldest=oldest),
        )
    missing = [one for one in needed if not found.packages.get(one.name)]
    old = [one for one in needed if one not in missing and is_older(found, one)]
    if missing or old:
        words = [_missing([one.name for one in missing])] if missing else []
        words += [
            translate("Environment", "{name} {version} is older than {oldest}").format(
                name=one.name, version=found.packages[one.name], oldest=one.oldest
            )
            for one in old
        ]
        install = place.shown_command("-m", "pip", "install", *map(str, (*missing, *old)))
        return Fitness(False, False, f"{'; '.join(words)}.", install)
    own = own_version()
    if found.packages.get(ENGINE) == own:
        return Fitness(
            True,
            False,
            translate("Environment", "memplanner {own} is installed there.").format(own=own),
        )
    there = found.packages.get(ENGINE)
    has = (
        translate("Environment", "memplanner {there} is installed there").format(there=there)
        if there
        else translate("Environment", "memplanner is not installed there")
    )
    return Fitness(
        True,
        True,
        translate("Environment", "{has}; the window brings its own engine along, {own}.").format(
            has=has, own=own
        ),
    )


def numbers(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: ``2.13.0+cpu`` is 2, 13, 0."""
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:3])


def is_older(found: Environment, needed: Requirement) -> bool:
    """Whether the installed version is older than the oldest that will do."""
    there = numbers(found.packages.get(needed.name) or "")
    oldest = numbers(needed.oldest)
    return there[: len(oldest)] < oldest


def _missing(names: Sequence[str]) -> str:
    """What is missing, in words: the first names, those that most depends on before others."""
    if len(names) == 1:
        return translate("Environment", "{name} is missing").format(name=names[0])
    names = sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    more = len(names) - len(FIRST)
    if more > 1:
        return translate("Environment", "{names} and {more} more are missing").format(
            names=", ".join(names[: len(FIRST)]), more=more
        )
    return translate("Environment", "{names} and {last} are missing").format(
        names=", ".join(names[:-1]), last=names[-1]
    )
