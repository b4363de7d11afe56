"""Text of a trainer's file, read with bounds: no code, no aliases, nothing deep or long."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
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
from memplanner.plan.file import is_unwritable
from memplanner.writing import why

LARGEST_BYTES = 256 * 1024
MOST_EVENTS = 20_000
"""Of the YAML parser; a trainer's file has some hundred."""
DEEPEST = 16
ENDINGS = (".yaml", ".yml", ".json", ".sh")


def read_text(path: Path) -> str:
    """The file's text. Raises ``PlanError`` with one sentence."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = why(error) if isinstance(error, OSError) else str(error)
        raise PlanError(f"{path} could not be read: {reason}; name a trainer's file.") from error
    if len(data) > LARGEST_BYTES:
        raise PlanError(f"{path} is larger than 256 KiB and so no trainer's file; name another.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanError(
            f"{path} is not text in UTF-8 (byte {error.start}); save it as UTF-8."
        ) from error


def parse_values(text: str, origin: str) -> Mapping[str, Any]:
    """The mapping that YAML or JSON hold. Raises ``PlanError``."""
    values = _json(text, origin) if text.lstrip()[:1] == "{" else _yaml(text, origin)
    if not isinstance(values, Mapping):
        raise PlanError(f"{origin} holds no keys and values; name a trainer's file.")
    return values


def parse_command(text: str, origin: str) -> list[str]:
    """The words of the command that a shell file starts torchtitan with. Nothing is run.

    Raises ``PlanError`` where there is none or a quote is not closed.
    """
    joined = text.replace("\\\r\n", " ").replace("\\\n", " ")
    try:
        lines = [shlex.split(line, comments=True) for line in joined.splitlines()]
    except ValueError as error:
        raise PlanError(
            f"{origin} cannot be read as a shell's words: {error}; correct it."
        ) from error
    for words in lines:
        if any(word.startswith(("--module", "--training.", "--parallelism.")) for word in words):
            return words
    raise PlanError(
        f"{origin} starts no trainer that is known here; name a file with torchtitan's flags."
    )


def _json(text: str, origin: str) -> Any:
    try:
        values = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{origin} is not valid JSON: {_line(error)}; correct it.") from error
    if _depth(values) > DEEPEST:
        raise PlanError(f"{origin} is nested too deeply for a trainer's file; name another.")
    return values


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key “{key[:60]}” occurs twice")
        values[key] = value
    return values


def _depth(values: Any) -> int:
    depth, level = 0, [values]
    while level:
        depth += 1
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _yaml(text: str, origin: str) -> Any:
    try:
        _check_shape(text, origin)
        return _loader().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f" in line {mark.line + 1}"
        reason = _line(error.problem or error.context) + where
        raise PlanError(f"{origin} is not valid YAML: {reason}; correct it.") from error
    # ValueError: of a date such as 2020-13-45; OverflowError: of the character \UFFFFFFFF
    except (YAMLError, ValueError, OverflowError) as error:
        raise PlanError(f"{origin} is not valid YAML: {_line(error)}; correct it.") from error


def _loader() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = False
    return yaml


def _check_shape(text: str, origin: str) -> None:
    depth = 0
    for count, event in enumerate(_loader().parse(text)):
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
        if depth > DEEPEST or count > MOST_EVENTS:
            raise PlanError(
                f"{origin} is nested too deeply or too long for a trainer's file; name another."
            )


def _line(problem: object) -> str:
    lines = str(problem or "").strip().splitlines()
    return lines[0].rstrip(".;,") if lines else "it cannot be parsed"
