"""The settings of a plan that take effect, with the words that the plan's own fields give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from memplanner.plan import Plan, Section


@dataclass(frozen=True, slots=True)
class Setting:
    """One decision: a key of the plan, and the keys that matter only because of its value.

    ``adapters.method=lora`` brings rank, alpha, dropout and targets with it.
    """

    key: str
    title: str
    values: Mapping[str, Any]
    """By dotted key, the deciding one first."""
    changed: bool
    """Some value is not the plan's default."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Its dotted keys."""
        return tuple(self.values)

    @property
    def assignment(self) -> str:
        """Such as ``adapters.method=lora, rank=8``."""
        section = self.key.rpartition(".")[0] + "."
        parts = [f"{key}={_written(value)}" for key, value in self.values.items() if value != []]
        return ", ".join(
            part if number == 0 else part.removeprefix(section)
            for number, part in enumerate(parts or [f"{self.key}=none"])
        )


def settings(plan: Plan, *, takes_sequence: bool = True) -> tuple[Setting, ...]:
    """Every setting that takes effect, in the order of the plan.

    ``takes_sequence`` is false for a model that the sequence length means nothing to.
    """
    values, defaults = plan.to_dict(), Plan().to_dict()
    found: list[Setting] = []
    for name, field in Plan.model_fields.items():
        section = getattr(plan, name)
        if isinstance(section, Section):
            found += _of_section(name, section, values[name], defaults[name])
        elif name != "schema_":
            value = values[name]
            found.append(Setting(name, field.title or name, {name: value}, value != defaults[name]))
    return tuple(
        setting for setting in found if takes_sequence or setting.key != "training.sequence_length"
    )


def _of_section(
    name: str, section: Section, values: dict[str, Any], defaults: dict[str, Any]
) -> Iterator[Setting]:
    dependents: dict[str, list[str]] = {}
    for field in type(section).model_fields:
        if not section.takes_effect(field):
            continue
        governing = field
        while (needed := section.depends_on(governing)) is not None:
            governing = needed[0]
        others = dependents.setdefault(governing, [])
        if governing != field:
            others.append(field)
    for field, others in dependents.items():
        together = [field, *others]
        title = type(section).model_fields[field].title or field
        yield Setting(
            key=f"{name}.{field}",
            title=_title(section, title),
            values={f"{name}.{part}": values[part] for part in together},
            changed=any(values[part] != defaults[part] for part in together),
        )


def _title(section: Section, field: str) -> str:
    if section.title == field:
        return field
    return f"{section.title}, {field[:1].lower()}{field[1:]}"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
