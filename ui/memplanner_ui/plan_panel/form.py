"""What the form of a plan consists of, read from the plan's schema. Knows no widget.

A new section of ``memplanner.plan`` shows up here, and so in the window, by itself.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from memplanner.plan import Choice, Choices, Plan, Section
from memplanner.plan.inference import only_trains
from memplanner_ui.language import of_plan, summary_of_plan, translate

Kind = Literal["choice", "flag", "whole", "number", "names", "text"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The values a number may take; None where there is no limit."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def words(self) -> str:
        """Such as ``1 to 4096`` or ``above 0, up to 10``; empty without limits."""
        low = (
            translate("Plan panel", "from {least}").format(least=_plain(self.least))
            if self.least is not None
            else ""
        )
        low = (
            translate("Plan panel", "above {above}").format(above=_plain(self.above))
            if self.above is not None
            else low
        )
        high = (
            translate("Plan panel", "up to {most}").format(most=_plain(self.most))
            if self.most is not None
            else ""
        )
        high = (
            translate("Plan panel", "below {below}").format(below=_plain(self.below))
            if self.below is not None
            else high
        )
        if self.least is not None and self.most is not None:
            return translate("Plan panel", "{least} to {most}").format(
                least=_plain(self.least), most=_plain(self.most)
            )
        return ", ".join(part for part in (low, high) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionForm:
    """One field of the plan."""

    key: str
    title: str
    explanation: str
    kind: Kind
    choices: tuple[Choice, ...] = ()
    limits: Limits = Limits()
    suggestions: tuple[int, ...] = ()
    when: tuple[str, frozenset[str]] | None = None
    """The sibling field, and its values with which this one matters."""
    optional: bool = False
    """Whether None is a value."""

    @property
    def name(self) -> str:
        """The field's own name, without its section."""
        return self.key.rsplit(".", 1)[-1]

    def value(self, plan: Plan) -> Any:
        """Its value in ``plan``."""
        value: Any = plan
        for part in self.key.split("."):
            value = getattr(value, part)
        return value

    def matters(self, plan: Plan) -> bool:
        """Whether it has any effect with the values its siblings have in ``plan``."""
        if plan.inference.use != "training" and only_trains(self.key):
            return False
        section = getattr(plan, self.key.split(".", 1)[0])
        return not isinstance(section, Section) or section.takes_effect(self.name)

    def words(self, value: Any) -> str:
        """A value as people read it."""
        for choice in self.choices:
            if choice.value == value:
                return choice.title
        if value is None or value == ():
            return translate("Plan panel", "none")
        if isinstance(value, bool):
            return translate("Plan panel", "on") if value else translate("Plan panel", "off")
        if isinstance(value, float):
            return f"{value:g}"
        return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionForm:
    """A section of the plan, or one value that stands alone."""

    name: str
    title: str
    explanation: str
    options: tuple[OptionForm, ...]

    def matters(self, plan: Plan) -> bool:
        """Whether any of its options has an effect in ``plan``."""
        return any(option.matters(plan) for option in self.options)

    def summary(self, plan: Plan) -> str:
        """Its state in a word or two."""
        value = getattr(plan, self.name)
        if isinstance(value, Section):
            return summary_of_plan(value.summary)
        return self.options[0].words(value)


@cache
def sections_of(plan_type: type[Plan]) -> tuple[SectionForm, ...]:
    """The sections of a plan's type, in the plan's order."""
    found = []
    for name, field in plan_type.model_fields.items():
        annotation, _ = _without_none(field.annotation)
        if isinstance(annotation, type) and issubclass(annotation, Section):
            options = tuple(
                _option(f"{name}.{inner}", one) for inner, one in annotation.model_fields.items()
            )
            title = of_plan(annotation.title or _title(name))
            form = SectionForm(
                name=name, title=title, explanation=of_plan(annotation.explanation), options=options
            )
            found.append(form)
        elif name != "schema_":
            option = _option(name, field)
            form = SectionForm(
                name=name, title=option.title, explanation=option.explanation, options=(option,)
            )
            found.append(form)
    return tuple(found)


def _option(key: str, field: FieldInfo) -> OptionForm:
    annotation, optional = _without_none(field.annotation)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    suggestions = extra.get("suggestions")
    when = extra.get("when")
    return OptionForm(
        key=key,
        title=of_plan(field.title or _title(key.rsplit(".", 1)[-1])),
        explanation=of_plan(field.description or ""),
        kind=_kind(annotation),
        choices=_choices(annotation, field.metadata),
        limits=_limits(field.metadata),
        suggestions=tuple(suggestions) if isinstance(suggestions, list) else (),  # type: ignore[arg-type]  # JSON values; option() takes whole numbers only
        when=_when(when) if isinstance(when, str) else None,
        optional=optional,
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        others = [one for one in typing.get_args(annotation) if one is not NoneType]
        if len(others) == 1:
            return others[0], True
    return annotation, False


def _kind(annotation: Any) -> Kind:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if origin is Literal:
        return "choice"
    if origin is tuple and typing.get_args(annotation) == (str, ...):
        return "names"
    kinds: dict[Any, Kind] = {bool: "flag", int: "whole", float: "number"}
    return kinds.get(annotation, "text")


def _choices(annotation: Any, metadata: list[Any]) -> tuple[Choice, ...]:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *inner = typing.get_args(annotation)
        metadata = [*metadata, *inner]
    for item in metadata:
        if isinstance(item, Choices):
            return tuple(_translated(one) for one in item.options)
    if typing.get_origin(annotation) is Literal:
        values = typing.get_args(annotation)
        return tuple(_translated(Choice(str(value), _title(str(value)))) for value in values)
    return ()


def _translated(choice: Choice) -> Choice:
    return replace(choice, title=of_plan(choice.title), explanation=of_plan(choice.explanation))


def _limits(metadata: list[Any]) -> Limits:
    values: dict[str, Any] = {}
    for item in metadata:
        match item:
            case Ge(ge=value):
                values["least"] = value
            case Le(le=value):
                values["most"] = value
            case Gt(gt=value):
                values["above"] = value
            case Lt(lt=value):
                values["below"] = value
    return Limits(**values)


def _when(text: str) -> tuple[str, frozenset[str]]:
    field, _, values = text.partition("=")
    return field.strip(), frozenset(value.strip() for value in values.split(","))


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _plain(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"
