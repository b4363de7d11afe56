"""The plan in code that a script brings along: dataclasses of what that code asks of it.

Fields have the plan's own defaults, and properties its own source; no more of both than is asked.
"""

from __future__ import annotations

import ast
from collections.abc import Container
from inspect import getsource
from textwrap import dedent, indent
from typing import Any, Literal, get_args, get_origin

from memplanner.export.carried import Followed
from memplanner.export.python_source import literal, string
from memplanner.plan import Plan
from memplanner.plan.section import Section
from memplanner.plan.sharding import Sharding

_HOLDERS = frozenset({"plan", "_plan"})
"""What the engine's code calls a plan."""


def plan_classes(found: Followed) -> tuple[str, str]:
    """The source of ``Sharding``, and of ``Plan`` behind the other sections that are asked."""
    sections = {name: _section(kind, found) for name, kind in _sections(found).items()}
    sharding = sections.pop("sharding")
    return sharding, "\n\n\n".join([*sections.values(), _plan(found)])


def plan_value(plan: Plan, found: Followed) -> str:
    """A call of ``Plan`` with what is asked of this plan, where it is not the default."""
    lines = ["Plan("]
    lines += [f"    {name}={string(getattr(plan, name))}," for name in _plain(found)]
    for name, (kind, values) in sorted(_said(plan, found).items()):
        if not values:
            continue
        line = f"    {name}={kind.__name__}({', '.join(values)}),"
        if len(line) > 100:
            inner = "".join(f"        {value},\n" for value in values)
            line = f"    {name}={kind.__name__}(\n{inner}    ),"
        lines.append(line)
    return "\n".join([*lines, ")"])


def classes_in_value(plan: Plan, found: Followed) -> tuple[str, ...]:
    """The names of the classes that ``plan_value`` calls."""
    said = _said(plan, found).values()
    return ("Plan", *(kind.__name__ for kind, values in said if values))


def _said(plan: Plan, found: Followed) -> dict[str, tuple[type[Section], list[str]]]:
    """For each section its class, and what the plan says in it beside the defaults."""
    said = {}
    for name, kind in _sections(found).items():
        section, standard = getattr(plan, name), kind()
        values = [
            f"{field}={literal(getattr(section, field))}"
            for field in _fields(kind, found)
            if getattr(section, field) != getattr(standard, field)
        ]
        said[name] = kind, values
    return said


def _sections(found: Followed) -> dict[str, type[Section]]:
    asked = found.attributes(_HOLDERS)
    kinds = {name: field.annotation for name, field in Plan.model_fields.items() if name in asked}
    sections = {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, Section)
    }
    return {"sharding": Sharding, **sections}


def _plain(found: Followed) -> list[str]:
    """The plan's own fields that are no sections."""
    asked = found.attributes(_HOLDERS)
    sections = _sections(found)
    return [name for name in Plan.model_fields if name in asked and name not in sections]


def _plan(found: Followed) -> str:
    lines = [
        "@dataclass(frozen=True)",
        "class Plan:",
        '    """What is looked at of a plan when a model is split."""',
        "",
    ]
    lines += [f"    {name}: str" for name in _plain(found)]
    for name, kind in sorted(_sections(found).items()):
        lines.append(f"    {name}: {kind.__name__} = field(default_factory={kind.__name__})")
    return "\n".join(lines)


def _section(kind: type[Section], found: Followed) -> str:
    """A section as a dataclass of what the found code asks of it."""
    lines = [
        "@dataclass(frozen=True)",
        f"class {kind.__name__}:",
        f'    """{kind.explanation.partition(". ")[0].rstrip(".")}."""',
        "",
    ]
    for name in _fields(kind, found):
        field = kind.model_fields[name]
        lines.append(f"    {name}: {_type_words(field.annotation)} = {literal(field.default)}")
    for source in _properties(kind, found.attributes()).values():
        lines += ["", indent(source, "    ")]
    return "\n".join(lines)


def _fields(kind: type[Section], found: Followed) -> list[str]:
    asked = set(found.attributes())
    for source in _properties(kind, found.attributes()).values():
        asked |= _attributes(source)
    return [name for name in kind.model_fields if name in asked]


def _properties(kind: type[Section], asked: Container[str]) -> dict[str, str]:
    """The source of the properties that are asked, and of those that they ask."""
    sources = {
        name: dedent(getsource(value.fget)).rstrip()
        for base in reversed(kind.__mro__[: kind.__mro__.index(Section)])
        for name, value in vars(base).items()
        if isinstance(value, property) and value.fget is not None
    }
    wanted = {name for name in sources if name in asked}
    while more := {
        other
        for name in wanted
        for other in _attributes(sources[name])
        if other in sources and other not in wanted
    }:
        wanted |= more
    return {name: source for name, source in sources.items() if name in wanted}


def _attributes(source: str) -> set[str]:
    return {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}


def _type_words(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "str"
    if get_args(annotation):
        return str(annotation)
    return str(annotation.__name__)
