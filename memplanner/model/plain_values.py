"""What stands in a pickle that is read as data for what unpickling would import or make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Made:
    """What a call would have made."""

    call: Any
    """A :class:`Name`, or what stands in its place."""
    arguments: Any
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    """What would have been set in it by key, as of an ``OrderedDict``."""


@dataclass(frozen=True, slots=True)
class Persistent:
    """What the pickle says lies elsewhere: torch's storages."""

    key: Any
