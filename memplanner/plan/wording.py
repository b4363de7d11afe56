"""A pydantic error as the one sentence a user reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo


def sentence(error: ValidationError, model: type[BaseModel], origin: str) -> str:
    """The first problem in ``error`` as one sentence that names ``origin``, the key and the fix."""
    first = error.errors(include_url=False)[0]
    kind, value = first["type"], first["input"]
    key = ".".join(str(part) for part in first["loc"])
    if kind in ("extra_forbidden", "invalid_key"):
        return unknown_key(first["loc"][0] if kind == "invalid_key" else key, model, origin)
    if kind == "value_error":
        return f"{origin}: {key + ': ' if key else ''}{first['ctx']['error']}."
    if kind in ("model_type", "model_attributes_type"):
        name = key or "a plan"
        return f"{origin}: {name} must be a mapping of keys to values, not {shown(value)}."
    field = _field(model, first["loc"])
    if kind == "literal_error" and field is not None:
        values = [str(choice) for choice in get_args(field.annotation)]
        return f"{origin}: {key} cannot be {shown(value)}; {_hint(value, values)}."
    need = None if field is None else _requirement(field)
    if need is not None:
        return f"{origin}: {key} is {shown(value)}, but must be {need}."
    return f"{origin}: {key} is {shown(value)}, but {_lower(first['msg'])}; correct it."


def unknown_key(key: object, model: type[BaseModel], origin: str) -> str:
    """The sentence for a dotted ``key`` that ``model`` does not have, with the one meant."""
    known = dict(_leaves(model))
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        return f"{origin}: {shown(key)} is a section; name one of its keys: {listed(inside)}."
    return f"{origin}: {shown(key)} is not a key of a plan; {_meant(str(key), list(known))}"


def listed(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def shown(value: object) -> str:
    """``value`` as a person would write it in a plan, cut where it is long."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    text = text if len(text) <= 60 else text[:59] + "…"
    return f"“{text}”" if isinstance(value, str) else text


_MEANT = 3
"""Keys of one name that may be meant."""
_LISTED = 16
"""Keys that a sentence has room for."""


def _meant(key: str, known: list[str]) -> str:
    """``did you mean training.batch_size?``, or the keys there are; ends the sentence."""
    last = key.rsplit(".", 1)[-1]
    inside = [name for name in known if name.startswith(key.split(".")[0] + ".")]
    close = [name for name in known if name.rsplit(".", 1)[-1] == last]
    if not close and not inside:
        close = get_close_matches(key, known, n=1)
    if not close:
        lasts = {name.rsplit(".", 1)[-1]: name for name in inside or known}
        close = [lasts[name] for name in get_close_matches(last, list(lasts), n=1)]
    close = close or [name for name in known if key.startswith(f"{name}.")]
    if close:
        return f"did you mean {listed(close[:_MEANT])}?"
    there = inside or list(dict.fromkeys(name.split(".")[0] for name in known))
    more = f" and {len(there) - _LISTED} more" if len(there) > _LISTED else ""
    return f"use one of {', '.join(there[:_LISTED])}{more}."


def _hint(value: object, choices: list[str]) -> str:
    close = get_close_matches(str(value).lower().replace("-", "_"), choices, n=1, cutoff=0.75)
    others = [choice for choice in choices if choice not in close]
    return f"choose {listed(close + others)}"


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _leaves(inner, f"{prefix}{field.alias or name}.")
        else:
            yield f"{prefix}{field.alias or name}", field


def _field(model: type[BaseModel], location: tuple[int | str, ...]) -> FieldInfo | None:
    """The field at ``location``; for an item of a list, the list's."""
    known = dict(_leaves(model))
    names = [str(part) for part in location]
    return next((known[k] for n in (2, 1) if (k := ".".join(names[:n])) in known), None)


def _requirement(field: FieldInfo) -> str | None:
    """What the field takes, in words; None where pydantic's own words must do."""
    kind: Any = field.annotation
    if kind in (int, float):
        return " ".join(
            filter(None, ("a whole number" if kind is int else "a number", _limits(field)))
        )
    if kind is bool:
        return "true or false"
    if get_origin(kind) is tuple:
        return "a list of names, such as q_proj, v_proj"
    if get_origin(kind) is Literal:
        return "one of " + listed([str(choice) for choice in get_args(kind)])
    return None


def _limits(field: FieldInfo) -> str:
    low = least = high = ""
    for limit in field.metadata:
        if isinstance(limit, Ge):
            low, least = f"from {limit.ge}", f"of at least {limit.ge}"
        elif isinstance(limit, Gt):
            low = f"above {limit.gt}"
        elif isinstance(limit, Le):
            high = f"to {limit.le}" if low.startswith("from") else f"and at most {limit.le}"
        elif isinstance(limit, Lt):
            low, high = least or low, f"and below {limit.lt}"
    return f"{low} {high}".strip()


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
