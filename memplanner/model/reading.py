"""Reading files that may be anything: bounded, and never trusted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from memplanner.errors import SourceError

DEEPEST_JSON = 64
"""Levels of nesting; configurations have some five."""
CONFIG_BYTES = 4 * 2**20
"""The longest public config.json, with a label for each of 21 843 classes, has 1.5 MiB."""
MOST_JSON_VALUES = 2**22
"""The header of a mixture of 256 experts, with 92 000 tensors, has some 800 000."""


def read_json(path: Path, largest_bytes: int = CONFIG_BYTES) -> dict[str, Any]:
    """The JSON object in ``path``. Raises ``SourceError`` where it is no such thing."""
    try:
        with path.open("rb") as file:
            data = file.read(largest_bytes + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error
    if len(data) > largest_bytes:
        raise SourceError(
            f"{path} is longer than {largest_bytes // 2**20} MiB, which no such file needs; "
            "name another file."
        )
    return parse_json(data, str(path))


def parse_json(data: bytes, origin: str) -> dict[str, Any]:
    """The JSON object in ``data``. Raises ``SourceError`` that names ``origin`` otherwise."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{origin} is not UTF-8 text (byte {error.start}); save it as UTF-8."
        ) from error
    if sum(map(data.count, (b",", b"[", b"{"))) > MOST_JSON_VALUES:
        raise SourceError(f"{origin} holds more values than any model's; name another file.")
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates)
        if "\\u" in text:  # such an escape can be half a character, which is no text
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise SourceError(f"{origin} is nested too deeply to be a description.") from error
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{origin} is not valid JSON ({error.msg} in line {error.lineno}); correct that line."
        ) from error
    except UnicodeEncodeError as error:
        raise SourceError(f"{origin} holds half a character; write it as UTF-8.") from error
    except ValueError as error:
        raise SourceError(f"{origin} is not valid JSON ({error}); correct it.") from error
    if not isinstance(value, dict):
        raise SourceError(f"{origin} holds no JSON object; name another file.")
    if _depth(value) > DEEPEST_JSON:
        raise SourceError(f"{origin} is nested too deeply to be a description; name another file.")
    return value


def reason(error: OSError) -> str:
    """The system's words for ``error``: ``no such file or directory``."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key “{twice[:60]}” occurs twice")
    return values


def _depth(value: dict[str, Any]) -> int:
    level: list[Any] = [value]
    depth = 0
    while level and depth <= DEEPEST_JSON:
        depth += 1
        below: list[Any] = []
        for item in level:
            below += item.values() if isinstance(item, dict) else item
        level = [item for item in below if isinstance(item, (dict, list))]
    return depth
