"""YAML that people hand in, read with bounds: no aliases or tags, nothing deep, long or endless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    ScalarEvent,
)

from memplanner.errors import PlanError
from memplanner.writing import why

LARGEST_BYTES = 256 * 1024
MOST_EVENTS = 20_000
"""Of the YAML parser; a plan has about a hundred, a trainer's file some hundred."""
DEEPEST = 16
LONGEST_NUMBER = 400
"""Digits and letters of a plain value that begins as a number does; Python writes 4300 digits."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is read, in the words of its errors."""

    words: str
    """Such as ``plan``."""
    fix: str
    """What to do where the file is none, as an imperative."""
    longest_value: int = LARGEST_BYTES
    """Characters of one value."""


def read_text(path: Path, kind: Kind) -> str:
    """The file's text. Raises ``PlanError`` with one sentence."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = why(error) if isinstance(error, OSError) else str(error)
        raise PlanError(f"{path} could not be read: {reason}; {kind.fix}.") from error
    if len(data) > LARGEST_BYTES:
        raise PlanError(f"{path} is larger than 256 KiB and so no {kind.words}; {kind.fix}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanError(
            f"{path} is not text in UTF-8 (byte {error.start}); save it as UTF-8."
        ) from error


def load_yaml(text: str, origin: str, kind: Kind) -> Any:
    """What a text of that kind's size and shape says. Raises ``PlanError``, naming ``origin``."""
    try:
        _check_shape(text, origin, kind)
        return plain_yaml().load(text)
    except MarkedYAMLError as error:
        raise PlanError(f"{origin} is not valid YAML: {_problem(error)}; correct it.") from error
    # ValueError: of a date such as 2020-13-45; OverflowError: of the character \UFFFFFFFF
    except (YAMLError, ValueError, OverflowError) as error:
        raise PlanError(f"{origin} is not valid YAML: {first_line(error)}; correct it.") from error


def plain_yaml() -> YAML:
    """A reader and writer of plain values, in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None only
    return yaml


def _check_shape(text: str, origin: str, kind: Kind) -> None:
    """Refuses what such a file never has, and what could grow or do something on loading."""
    depth = 0
    for count, event in enumerate(plain_yaml().parse(text)):
        if isinstance(event, AliasEvent):
            raise PlanError(f"{origin} uses a YAML alias (*{event.anchor}); write the value out.")
        if tag := getattr(event, "tag", None):
            raise PlanError(f"{origin} uses a YAML tag ({tag}); write a plain value.")
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        scalar = isinstance(event, ScalarEvent)
        if scalar and _is_unwritable(event):
            raise PlanError(
                f"{origin} has the value {event.value[:20]}…, which cannot be written out again; "
                "correct it."
            )
        long = scalar and len(event.value) > kind.longest_value
        if long or depth > DEEPEST or count > MOST_EVENTS:
            raise PlanError(
                f"{origin} is nested too deeply or too long for a {kind.words}; {kind.fix}."
            )


def _is_unwritable(event: ScalarEvent) -> bool:
    """Whether it begins as a number and is very long, or holds half a character."""
    text = event.value
    number = event.style is None and text.lstrip("+-")[:1].isdecimal()
    if number and len(text) > LONGEST_NUMBER:
        return True
    return not text.isascii() and re.search("[\ud800-\udfff]", text) is not None


def _problem(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = "" if mark is None else f" in line {mark.line + 1}"
    problem = first_line(error.problem or error.context)
    if problem.startswith("but ") and error.context:
        problem = f"{first_line(error.context)}, {problem}"
    return problem + where


def first_line(problem: object) -> str:
    """A parser's complaint in one line without a stop."""
    lines = str(problem or "").strip().splitlines()
    return lines[0].rstrip(".;,") if lines else "it cannot be parsed"
