"""What two plans differ in."""

from __future__ import annotations

from typing import Any, NamedTuple

from memplanner.plan.plan import Plan


class Change(NamedTuple):
    """One key that differs, with both values."""

    key: str
    before: Any
    after: Any


def difference(before: Plan, after: Plan) -> tuple[Change, ...]:
    """The keys in which the plans differ, in the order of the plan.

    >>> difference(Plan(), Plan().with_values({"precision": "fp32"}))
    (Change(key='precision', before='bf16', after='fp32'),)
    """
    first, second = before.to_dict(), after.to_dict()
    changes: list[Change] = []
    for name, value in first.items():
        other = second[name]
        if isinstance(value, dict):
            changes += [
                Change(f"{name}.{key}", value[key], other[key])
                for key in value
                if value[key] != other[key]
            ]
        elif value != other:
            changes.append(Change(name, value, other))
    return tuple(changes)
