"""Plans in words: what they are set to, and where they differ."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any

from pydantic.fields import FieldInfo

from memplanner.plan import Choices, Plan, Section


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the plan in several plans."""

    key: str
    title: str
    values: tuple[str, ...]
    """In words, one for each plan."""
    same_as_first: tuple[bool, ...]


def differing(plans: Sequence[Plan]) -> tuple[Setting, ...]:
    """The keys that the plans do not all set alike, in the order of the plan.

    A key without effect in any of the plans is left out.
    """
    found = []
    for key, title, field in _fields():
        values = [_value(plan, key) for plan in plans]
        if any(value != values[0] for value in values) and any(
            _matters(plan, key) for plan in plans
        ):
            words = tuple(
                _words(value, field) if _matters(plan, key) else "–"
                for value, plan in zip(values, plans, strict=True)
            )
            same = tuple(value == values[0] for value in values)
            found.append(Setting(key, title, words, same))
    return tuple(found)


def changed(plan: Plan) -> tuple[Setting, ...]:
    """What a plan says beyond the defaults, and its batch."""
    plain = Plan()
    always = ("training.batch_size", "training.sequence_length", "precision", "optimizer.name")
    return tuple(
        Setting(key, title, (_words(value, field),), (True,))
        for key, title, field in _fields()
        if ((value := _value(plan, key)) != _value(plain, key) or key in always)
        and _matters(plan, key)
    )


@cache
def _fields() -> tuple[tuple[str, str, FieldInfo], ...]:
    """Every key with its title; one that only its section makes plain is named with it."""
    found: list[tuple[str, str, FieldInfo]] = []
    for name, field in Plan.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for inner, one in section.model_fields.items():
                title = one.title or inner.replace("_", " ").capitalize()
                whole = section.title or name.replace("_", " ").capitalize()
                named = title if title == whole or name == "training" else f"{whole}: {title}"
                found.append((f"{name}.{inner}", named, one))
        elif name != "schema_":
            found.append((name, field.title or name, field))
    return tuple(found)


def _value(plan: Plan, key: str) -> Any:
    value: Any = plan
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _matters(plan: Plan, key: str) -> bool:
    name, _, inner = key.partition(".")
    section = getattr(plan, name)
    return not isinstance(section, Section) or section.takes_effect(inner)


def _words(value: Any, field: FieldInfo) -> str:
    for choices in _choices(field):
        for choice in choices.options:
            if choice.value == value:
                return choice.title
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _choices(field: FieldInfo) -> list[Choices]:
    annotation, metadata = field.annotation, list(field.metadata)
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        others = [one for one in typing.get_args(annotation) if one is not NoneType]
        annotation = others[0] if len(others) == 1 else annotation
    if typing.get_origin(annotation) is typing.Annotated:
        metadata += typing.get_args(annotation)[1:]
    return [item for item in metadata if isinstance(item, Choices)]
