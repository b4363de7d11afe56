"""Settings as they lie on disk: of older and newer versions, damaged in part or as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from memplanner.writing import why
from memplanner_ui.language import translate

SCHEMA = 2
"""Of the settings file."""
LARGEST_BYTES = 2**25
"""Kept plans and layouts take some kilobytes; what is larger was not written by a window."""

Values = TypeVar("Values", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Found(Generic[Values]):
    """What was read."""

    values: Values
    notes: tuple[str, ...] = ()
    """What was left out or set aside, a sentence each."""


def _place_of_interpreter(values: dict[str, Any]) -> None:
    """1 to 2: the engine's Python has become a place."""
    interpreter = values.pop("interpreter", None)
    if isinstance(interpreter, str) and interpreter and not values.get("place"):
        values["place"] = {"python": interpreter}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], None]] = {1: _place_of_interpreter}
"""By the version that each brings up by one."""


def read_settings(path: Path, kind: type[Values]) -> Found[Values]:
    """The settings in ``path``; the first ones where there are none, or none that can be read.

    A file that is no settings at all is set aside as ``window.unreadable.json``.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return _set_aside(path, kind, translate("Window", "it is too large"))
        if os.name == "posix":
            path.chmod(0o600)  # an older version, or a copy, may have left it open to others
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Found(kind())
    except OSError as error:
        return Found(
            kind(),
            (
                translate("Window", "{path} could not be read: {reason}.").format(
                    path=path, reason=why(error)
                ),
            ),
        )
    except (ValueError, RecursionError):
        return _set_aside(path, kind, translate("Window", "it is no JSON"))
    if not isinstance(values, dict):
        return _set_aside(path, kind, translate("Window", "it holds no settings"))
    return _understood(path, _migrated(values), kind)


def _migrated(values: dict[str, Any]) -> dict[str, Any]:
    """Brought up to ``SCHEMA``; those of a newer version stay as they are."""
    version = values.get("schema_version")
    version = version if isinstance(version, int) and version > 0 else 1
    for step in range(version, SCHEMA):
        MIGRATIONS[step](values)
    return {**values, "schema_version": max(version, SCHEMA)}


def _understood(path: Path, values: dict[str, Any], kind: type[Values]) -> Found[Values]:
    """The values without those that make no sense."""
    try:
        return Found(kind.model_validate_json(json.dumps(values)))
    except ValidationError as error:
        wrong = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
    kept = {name: value for name, value in values.items() if name not in wrong}
    note = translate(
        "Window", "{path} holds values that make no sense and are left out: {names}."
    ).format(path=path, names=", ".join(wrong))
    return Found(kind.model_validate_json(json.dumps(kept)), (note,))


def _set_aside(path: Path, kind: type[Values], reason: str) -> Found[Values]:
    aside = path.with_suffix(".unreadable.json")
    try:
        path.replace(aside)
    except OSError as error:
        return Found(
            kind(),
            (
                translate("Window", "{path} cannot be used, since {what}: {reason}.").format(
                    path=path, what=reason, reason=why(error)
                ),
            ),
        )
    note = translate("Window", "{path} cannot be used, since {what}; it is kept as {name}.").format(
        path=path, what=reason, name=aside.name
    )
    return Found(kind(), (note,))
