"""Base of every message: frozen and strict; absent values are None, never missing."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

SCHEMA = 1
"""Of the results printed by ``--json`` and of the protocol between window and engine."""


class Message(BaseModel):
    """A value that crosses a process boundary as JSON.

    A loss may be no number: JSON has no word for that, so it is the text ``NaN`` or ``Infinity``.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        ser_json_inf_nan="strings",
        defer_build=True,  # no process reads and writes every message, and each takes its time
    )
