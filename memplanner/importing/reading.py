"""Text of a trainer's file, read with bounds: no code, no aliases, nothing deep or long."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memplanner.errors import PlanError
from memplanner.plan import bounded_yaml
from memplanner.plan.bounded_yaml import DEEPEST, Kind, first_line, load_yaml

_FILE = Kind("trainer's file", "name a trainer's file")
ENDINGS = (".yaml", ".yml", ".json", ".sh")


def read_text(path: Path) -> str:
    """The file's text. Raises ``PlanError`` with one sentence."""
    return bounded_yaml.read_text(path, _FILE)


def parse_values(text: str, origin: str) -> Mapping[str, Any]:
    """The mapping that YAML or JSON hold. Raises ``PlanError``."""
    values = _json(text, origin) if text.lstrip()[:1] == "{" else load_yaml(text, origin, _FILE)
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
        raise PlanError(f"{origin} is not valid JSON: {first_line(error)}; correct it.") from error
    if _depth(values) > DEEPEST:
        raise PlanError(f"{origin} is nested too deeply for a {_FILE.words}; {_FILE.fix}.")
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
