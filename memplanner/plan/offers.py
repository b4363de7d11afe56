"""What else a plan could say: for each option that matters, the values worth a look."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from memplanner.plan.plan import Plan
from memplanner.plan.section import Choices, Section

Value = bool | int | float | str
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
"""Worth a look where a number lies between nothing and all."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A value that one option does not have now."""

    key: str
    value: Value
    explanation: str
    """Of the value, or of its field."""
    leads: bool
    """Whether it is of the first option of its section, which the others depend on."""


def offers(plan: Plan) -> tuple[Offer, ...]:
    """Every other value that the options of ``plan`` offer, in the order of the plan.

    Options without effect in this plan offer nothing; lists of names neither.
    """
    found: list[Offer] = []
    for name, field in type(plan).model_fields.items():
        value = getattr(plan, name)
        if isinstance(value, Section):
            for place, (inner, one) in enumerate(type(value).model_fields.items()):
                if value.takes_effect(inner):
                    found += _of(f"{name}.{inner}", one, getattr(value, inner), place == 0)
        elif name != "schema_":
            found += _of(name, field, value, True)
    return tuple(found)


def next_value(value: int, suggestions: Sequence[int], *, up: bool) -> int:
    """The whole number that a step up or down leads to: through the suggestions, then doubling."""
    if not suggestions:
        return value + (1 if up else -1)
    known = sorted(suggestions)
    if up:
        return next((one for one in known if one > value), value * 2)
    if value > known[-1]:
        return max(value // 2, known[-1])
    return next((one for one in reversed(known) if one < value), value // 2)


def _of(key: str, field: FieldInfo, now: Any, leads: bool) -> Iterator[Offer]:
    for value, words in _values(field, now):
        if value != now or type(value) is not type(now):
            yield Offer(key, value, words or field.description or "", leads)


def _values(field: FieldInfo, now: Any) -> Iterator[tuple[Value, str]]:
    annotation, metadata = _plain(field.annotation), field.metadata
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *inner = typing.get_args(annotation)
        metadata = [*metadata, *inner]
    if typing.get_origin(annotation) is Literal:
        words = {
            choice.value: choice.explanation
            for item in metadata
            if isinstance(item, Choices)
            for choice in item.options
        }
        yield from ((value, words.get(str(value), "")) for value in typing.get_args(annotation))
    elif annotation is bool:
        yield not now, ""
    elif annotation is int and type(now) is int:
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        given = extra.get("suggestions")
        suggestions = [one for one in given if isinstance(one, int)] if given else []  # type: ignore[union-attr]  # JSON values; option() takes whole numbers only
        if suggestions:
            near = (next_value(now, suggestions, up=up) for up in (False, True))
            for number in sorted({*suggestions, *near}):
                if _allowed(number, metadata):
                    yield number, ""
    elif annotation is float and isinstance(now, float) and _is_share(metadata):
        yield from ((share, "") for share in _SHARES if _allowed(share, metadata))


def _plain(annotation: Any) -> Any:
    """The annotation without None."""
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        others = [one for one in typing.get_args(annotation) if one is not NoneType]
        return others[0] if len(others) == 1 else annotation
    return annotation


def _is_share(metadata: Sequence[Any]) -> bool:
    return any(isinstance(item, Lt | Le) and getattr(item, "lt", None) == 1 for item in metadata)


def _allowed(value: float, metadata: Sequence[Any]) -> bool:
    for item in metadata:
        match item:
            case Ge(ge=limit) if value < limit:  # type: ignore[operator]  # numbers throughout
                return False
            case Gt(gt=limit) if value <= limit:  # type: ignore[operator]  # as above
                return False
            case Le(le=limit) if value > limit:  # type: ignore[operator]  # as above
                return False
            case Lt(lt=limit) if value >= limit:  # type: ignore[operator]  # as above
                return False
    return True
