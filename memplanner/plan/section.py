"""What every section of a plan is made of.

A section is a frozen pydantic model: its fields are what the user decides about one technique.
Titles and explanations live beside the fields, so forms, the terminal's help and the export
dialog are generated from the section alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a choice field, with the words that explain it."""

    value: str
    title: str
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """The values of a ``Literal`` field with their words; put it in the field's ``Annotated``."""

    options: tuple[Choice, ...]


def choices(*options: tuple[str, str] | tuple[str, str, str]) -> Choices:
    """``Choices`` from ``(value, title[, explanation])`` tuples."""
    return Choices(tuple(Choice(*option) for option in options))


def option(
    default: Any,
    title: str,
    explanation: str,
    *,
    when: str | None = None,
    suggestions: tuple[int, ...] = (),
    **limits: Any,
) -> Any:
    """A field with its title, its explanation and its pydantic limits (``ge``, ``le``, …).

    ``when`` names the sibling field and values that make it matter, as ``policy=every_n``;
    ``suggestions`` are values worth offering.
    """
    extra: dict[str, Any] = {"suggestions": list(suggestions)}
    if when is not None:
        extra["when"] = when
    return Field(default, title=title, description=explanation, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """Base of every section: frozen, strict about unknown keys, with a title and two sentences."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    title: ClassVar[str] = ""
    explanation: ClassVar[str] = ""

    @field_validator("*", mode="before")
    @classmethod
    def _read_text(cls, value: Any, info: ValidationInfo) -> Any:
        """Takes ``q_proj, v_proj`` for a list; keeps ``true`` from passing for the number 1."""
        if not isinstance(value, str | bool):
            return value
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, str) and get_origin(kind) is tuple:
            return tuple(filter(None, (part.strip() for part in value.split(","))))
        if isinstance(value, bool) and kind in (int, float):
            raise PydanticCustomError("boolean_for_number", "it is no number")
        return value

    @classmethod
    def depends_on(cls, name: str) -> tuple[str, frozenset[str]] | None:
        """The sibling field that makes ``name`` matter, and its values that do; or None."""
        extra = cls.model_fields[name].json_schema_extra
        when = extra.get("when") if isinstance(extra, dict) else None
        if not isinstance(when, str):
            return None
        sibling, _, values = when.partition("=")
        return sibling, frozenset(values.split(","))

    def takes_effect(self, name: str) -> bool:
        """Whether the field matters with the values of those that it depends on, one by one."""
        needed = self.depends_on(name)
        if needed is None:
            return True
        sibling, values = needed
        return str(getattr(self, sibling)) in values and self.takes_effect(sibling)

    @property
    def summary(self) -> str:
        """The section's state in a word or two, for a folded header."""
        return ""
