"""YAML that people hand in, read with bounds: no aliases or tags, nothing deep, long or endless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
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
from ruamel.yaml.parser import Parser

from memplanner.errors import PlanError
from memplanner.writing import why

LARGEST_BYTES = 256 * 1024
MOST_EVENTS = 20_000
"""Of the YAML parser; a plan has about a hundred, a trainer's file some hundred."""
DEEPEST = 16
LONGEST_NUMBER = 400
"""Digits and letters of a plain value that begins as a number does; Python writes 4300 digits."""

_RAISED = (YAMLError, ValueError, OverflowError, TypeError, LookupError, AssertionError)
"""By ruamel, for a date such as 2020-13-45, the character \\UFFFFFFFF, a key that is a list of
lists, a number that is ``-_``, and YAML 1.3, which is told within a document or before it."""
_OWN_WORDS = {
    TypeError: "a key is no single value",
    IndexError: "a number has no digits",
    KeyError: "it names a version that is not known",
}


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
    yaml = plain_yaml()
    yaml.Parser = partial(_Bounded, origin=origin, kind=kind)
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        raise PlanError(f"{origin} is not valid YAML: {_problem(error)}; correct it.") from error
    except _RAISED as error:
        problem = _OWN_WORDS.get(type(error)) or first_line(error)
        raise PlanError(f"{origin} is not valid YAML: {problem}; correct it.") from error


def plain_yaml() -> YAML:
    """A reader and writer of plain values, in their order."""
    yaml = _Plain(typ="safe", pure=True)
    yaml.allow_duplicate_keys = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None only
    return yaml


class _Plain(YAML):
    """Without plug-ins: looking for them on the disk takes a fifth of reading a plan."""

    def official_plug_ins(self) -> list[str]:
        """None."""
        return []


class _Bounded(Parser):
    """Refuses what such a file never has, and what could grow or do something on loading.

    Each event is looked at before anything is made of it. Raises ``PlanError``.
    """

    def __init__(self, loader: YAML, origin: str, kind: Kind) -> None:
        super().__init__(loader)
        self._origin, self._kind = origin, kind
        self._depth = self._count = 0

    def get_event(self) -> Any:
        """The next event."""
        event = super().get_event()
        if isinstance(event, AliasEvent):
            raise PlanError(
                f"{self._origin} uses a YAML alias (*{event.anchor}); write the value out."
            )
        if tag := getattr(event, "tag", None):
            raise PlanError(f"{self._origin} uses a YAML tag ({tag}); write a plain value.")
        self._depth += isinstance(event, CollectionStartEvent)
        self._depth -= isinstance(event, CollectionEndEvent)
        scalar = isinstance(event, ScalarEvent)
        if scalar and _is_unwritable(event):
            raise PlanError(
                f"{self._origin} has the value {event.value[:20]}…, which cannot be written out "
                "again; correct it."
            )
        long = scalar and len(event.value) > self._kind.longest_value
        if long or self._depth > DEEPEST or self._count > MOST_EVENTS:
            raise PlanError(
                f"{self._origin} is nested too deeply or too long for a {self._kind.words}; "
                f"{self._kind.fix}."
            )
        self._count += 1
        return event


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
