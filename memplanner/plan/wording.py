"""A pydantic error as the one sentence a user reads."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError


def sentence(error: ValidationError, model: type[BaseModel], origin: str) -> str:
    """The first problem in ``error`` as one sentence that names ``origin``, the key and the fix."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "the whole"
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"{origin}: “{key}” is not a key of a plan; {_known(model, first['loc'])}."
    if kind == "literal_error":
        return f"{origin}: {key} cannot be {first['input']!r}; choose {first['ctx']['expected']}."
    if kind == "value_error":
        return f"{origin}: {key}: {first['ctx']['error']}."
    if kind == "model_type" or kind == "model_attributes_type":
        return f"{origin}: {key} must be a mapping of keys to values, not {first['input']!r}."
    return f"{origin}: {key} is {_short(first['input'])}, but {_lower(first['msg'])}; correct it."


def _known(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    owner: Any = model
    for part in location[:-1]:
        owner = owner.model_fields[str(part)].annotation
    names = [field.alias or name for name, field in owner.model_fields.items()]
    close = get_close_matches(str(location[-1]), names, n=1)
    return f"did you mean {close[0]}?".rstrip(".") if close else "use one of " + ", ".join(names)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
