"""Why an option cannot have a value: as the plan says it, and in a few words what rules it out."""

from __future__ import annotations

from functools import cache, lru_cache

from pydantic import ValidationError

from memplanner.errors import PlanError
from memplanner.plan import Plan, Section
from memplanner_ui.plan_panel.form import sections_of


def refusal(plan: Plan, key: str, value: str) -> str:
    """Why ``plan`` cannot have ``value`` at ``key``, in a part of a sentence; empty when it can."""
    name = key.partition(".")[0]
    return _refusal(type(plan), name, getattr(plan, name), key, value)


def hindrance(plan: Plan, key: str, value: str) -> str:
    """What is chosen now and rules ``value`` out at ``key``: the words of one other choice.

    Empty where no single choice of the same section does.
    """
    name = key.partition(".")[0]
    return _hindrance(type(plan), name, getattr(plan, name), key, value)


@lru_cache(maxsize=4096)
def _refusal(kind: type[Plan], name: str, section: object, key: str, value: str) -> str:
    """A section alone decides what its options may be: an edit leaves those of others as known."""
    if isinstance(section, Section) and _takes(section, key.rpartition(".")[2], value):
        return ""
    try:
        _untouched(kind).model_copy(update={name: section}).with_values({key: value})
    except PlanError as error:
        sentence = str(error).removeprefix("the plan: ")
        reason = sentence.split(": ", 1)[-1]
        return reason.split(";", 1)[0].rstrip(".")
    return ""


@lru_cache(maxsize=4096)
def _hindrance(kind: type[Plan], name: str, section: object, key: str, value: str) -> str:
    plan = _untouched(kind).model_copy(update={name: section})
    form = next(one for one in sections_of(kind) if one.name == name)
    for other in form.options:
        if other.kind != "choice" or other.key == key:
            continue
        first = other.choices[0].value
        if other.value(plan) != first and _allowed(plan, {other.key: first, key: value}):
            return other.words(other.value(plan))
    return ""


def _allowed(plan: Plan, values: dict[str, object]) -> bool:
    try:
        plan.with_values(values)
    except PlanError:
        return False
    return True


def _takes(section: Section, name: str, value: str) -> bool:
    """Whether a section is one with another value; why it is not, the whole plan says in words."""
    try:
        type(section).model_validate({**section.model_dump(mode="json"), name: value})
    except ValidationError:
        return False
    return True


@cache
def _untouched(kind: type[Plan]) -> Plan:
    return kind()
