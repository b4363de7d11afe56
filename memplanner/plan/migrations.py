"""Older plans brought up to the schema of today.

A change of the schema adds one to ``SCHEMA`` and one function to ``_STEPS`` that turns the
mapping of the schema before it into the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memplanner.plan.wording import shown

SCHEMA = 1
"""The schema written today."""

_STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def migrate(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` in today's schema. A mapping without ``schema`` is taken as today's.

    Raises ``ValueError`` when the plan is newer than this program, or its schema is no number.
    """
    schema = values.get("schema", values.get("schema_", SCHEMA))
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(f"schema is {shown(schema)}, but must be a number such as {SCHEMA}")
    if schema > SCHEMA:
        raise ValueError(
            f"it was written by a newer memplanner (schema {schema}, this one reads {SCHEMA}); "
            "update memplanner"
        )
    for step in range(schema, SCHEMA):
        values = {**_STEPS[step](values), "schema": step + 1}
    return values
