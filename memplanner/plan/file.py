"""A plan as a YAML file."""

from __future__ import annotations

import re
from io import StringIO
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
from memplanner.plan.plan import Plan
from memplanner.writing import why, write_whole

LARGEST_BYTES = 256 * 1024
MOST_EVENTS = 20_000
"""Of the YAML parser; a plan has about a hundred."""
DEEPEST = 16
LONGEST_VALUE = 4096
LONGEST_NUMBER = 400
"""Digits and letters of a plain value that begins as a number does; Python writes 4300 digits."""


def read_plan(path: str | Path) -> Plan:
    """The plan in the YAML file ``path``.

    Raises ``PlanError`` with a sentence that names the file and what to change.
    """
    return parse_plan(_read(Path(path)), origin=str(path))


def parse_plan(text: str, *, origin: str = "the plan") -> Plan:
    """The plan in the YAML ``text``; ``origin`` names it in the sentence of a ``PlanError``."""
    return Plan.parse(_values(text, origin), origin=origin)


def write_plan(plan: Plan, path: str | Path) -> None:
    """Writes ``plan`` to ``path``, whole or not at all. Raises ``PlanError``."""
    try:
        write_whole(Path(path), dump_plan(plan))
    except OSError as error:
        raise PlanError(
            f"{path} could not be written: {why(error)}; choose another place or make room."
        ) from error


def dump_plan(plan: Plan) -> str:
    """``plan`` as YAML: every key, in the order of the plan."""
    text = StringIO()
    yaml = _yaml()
    yaml.default_flow_style = False
    yaml.dump(plan.to_dict(), text)
    return text.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None only
    return yaml


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise PlanError(
            f"{path} could not be read: {why(error)}; name a plan that memplanner wrote."
        ) from error
    if len(data) > LARGEST_BYTES:
        raise PlanError(f"{path} is larger than 256 KiB and so no plan; name a smaller file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanError(
            f"{path} is not text in UTF-8 (byte {error.start}); save it as UTF-8."
        ) from error


def _values(text: str, origin: str) -> Any:
    try:
        _check_shape(text, origin)
        return _yaml().load(text)
    except MarkedYAMLError as error:
        raise PlanError(f"{origin} is not valid YAML: {_problem(error)}; correct it.") from error
    # ValueError: of a date such as 2020-13-45; OverflowError: of the character \UFFFFFFFF
    except (YAMLError, ValueError, OverflowError) as error:
        raise PlanError(f"{origin} is not valid YAML: {_first_line(error)}; correct it.") from error


def _check_shape(text: str, origin: str) -> None:
    """Refuses what a plan never has and what could grow or do something on loading."""
    depth = 0
    for count, event in enumerate(_yaml().parse(text)):
        if isinstance(event, AliasEvent):
            raise PlanError(f"{origin} uses a YAML alias (*{event.anchor}); write the value out.")
        if tag := getattr(event, "tag", None):
            raise PlanError(f"{origin} uses a YAML tag ({tag}); write a plain value.")
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if isinstance(event, ScalarEvent) and is_unwritable(event):
            raise PlanError(
                f"{origin} has the value {event.value[:20]}…, which cannot be written out again; "
                "correct it."
            )
        long = isinstance(event, ScalarEvent) and len(event.value) > LONGEST_VALUE
        if long or depth > DEEPEST or count > MOST_EVENTS:
            raise PlanError(
                f"{origin} is nested too deeply or too long for a plan; "
                "name a plan that memplanner wrote."
            )


def is_unwritable(event: ScalarEvent) -> bool:
    """Whether it begins as a number and is very long, or holds half a character."""
    text = event.value
    number = event.style is None and text.lstrip("+-")[:1].isdecimal()
    if number and len(text) > LONGEST_NUMBER:
        return True
    return not text.isascii() and re.search("[\ud800-\udfff]", text) is not None


def _problem(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = "" if mark is None else f" in line {mark.line + 1}"
    problem = _first_line(error.problem or error.context)
    if problem.startswith("but ") and error.context:
        problem = f"{_first_line(error.context)}, {problem}"
    return problem + where


def _first_line(problem: object) -> str:
    lines = str(problem or "").strip().splitlines()
    return lines[0].rstrip(".;,") if lines else "it cannot be parsed"
