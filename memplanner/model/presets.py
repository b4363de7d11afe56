"""The presets: models that come with the program, one JSON file each. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from memplanner.errors import SourceError
from memplanner.messages.protocol import Preset

PREFIX = "preset:"


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetFile:
    """What one file of ``resources/presets`` says."""

    preset: Preset
    config: dict[str, Any]
    """Values for the configuration class that belongs to the preset's class."""
    max_positions: int | None
    """The longest sequence that the publisher states."""


@cache
def _read_all() -> dict[str, PresetFile]:
    found = []
    for entry in files("memplanner.resources").joinpath("presets").iterdir():
        if not entry.name.endswith(".json"):
            continue
        values = json.loads(entry.read_text(encoding="utf-8"))
        config, max_positions = values.pop("config"), values.pop("max_positions")
        preset = Preset.model_validate(values)
        found.append(PresetFile(preset=preset, config=config, max_positions=max_positions))
    found.sort(key=lambda file: (file.preset.publisher.lower(), file.preset.parameters))
    return {file.preset.name: file for file in found}


def presets() -> tuple[Preset, ...]:
    """Every preset, by publisher and size."""
    return tuple(file.preset for file in _read_all().values())


def find_preset(name: str) -> PresetFile:
    """The preset called ``name`` (with or without ``preset:``).

    Raises ``SourceError`` when there is none.
    """
    from difflib import get_close_matches

    bare = name.removeprefix(PREFIX)
    known = _read_all()
    if bare in known:
        return known[bare]
    close = get_close_matches(bare.lower(), known, n=1)
    hint = f"did you mean {PREFIX}{close[0]}?" if close else "choose one of " + ", ".join(known)
    raise SourceError(f"“{name}” is not a preset; {hint.rstrip('.')}")
