"""The style resource: named colours of one scheme, read from ``resources/style``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

Scheme = Literal["light", "dark"]

CATEGORIES = (
    "parameters",
    "gradients",
    "optimizer_state",
    "activations",
    "kv_cache",
    "temporaries",
    "communication",
    "overhead",
    "other",
    "free",
)
"""The colour categories in the order they stand in everywhere."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of a scheme as ``#RRGGBB``; ``on_parameters`` is the text on ``parameters``."""

    scheme: Scheme
    surfaces: Mapping[str, str]
    inks: Mapping[str, str]
    fills: Mapping[str, str]
    texts: Mapping[str, str]

    @property
    def colors(self) -> dict[str, str]:
        """Every colour by its name."""
        on_fills = {f"on_{name}": value for name, value in self.texts.items()}
        return {**self.surfaces, **self.inks, **self.fills, **on_fills}


def read_tokens(scheme: Scheme) -> Tokens:
    """The tokens of ``scheme``."""
    text = (files("memplanner.resources") / "style" / f"{scheme}.json").read_text("utf-8")
    values = json.loads(text)
    categories = values["categories"]
    return Tokens(
        scheme=scheme,
        surfaces=values["surfaces"],
        inks=values["inks"],
        fills={name: categories[name]["fill"] for name in CATEGORIES},
        texts={name: categories[name]["text"] for name in CATEGORIES},
    )
