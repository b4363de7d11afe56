"""Base of every message: frozen and strict; absent values are None, never missing."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

SCHEMA = 1
"""Of the results printed by ``--json`` and of the protocol between window and engine."""


class Message(BaseModel):
    """A value that crosses a process boundary as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
