"""Python source as ``ruff format`` would leave it: values and imports."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from memplanner.errors import ExportError

WIDTH = 100
_INDENT = "    "


def literal(value: Any, *, before: int = 0, indent: int = 0, after: int = 0) -> str:
    """``value`` (what JSON holds, and tuples) as source.

    It is put on one line where ``before`` columns left of it and ``after`` right of it leave room,
    else one item a line, indented by ``indent`` columns.
    """
    line = _one_line(value)
    if (
        before + len(line) + after <= WIDTH
        or not isinstance(value, dict | list | tuple)
        or not value
    ):
        return line
    pad = " " * indent + _INDENT
    items = []
    if isinstance(value, dict):
        for key, item in value.items():
            name = f"{_one_line(key)}: "
            rest = literal(item, before=len(pad) + len(name), indent=indent + 4, after=1)
            items.append(f"{pad}{name}{rest},\n")
    else:
        items = [
            f"{pad}{literal(item, before=len(pad), indent=indent + 4, after=1)},\n"
            for item in value
        ]
    brackets = {dict: "{}", list: "[]", tuple: "()"}[type(value)]
    return f"{brackets[0]}\n{''.join(items)}{' ' * indent}{brackets[1]}"


def assignment(name: str, value: Any) -> str:
    """``NAME = value``, on as many lines as it takes."""
    return f"{name} = {literal(value, before=len(name) + 3)}"


def string(text: str) -> str:
    """``text`` in the quotes that need the fewest escapes, double ones first."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    inner = "".join(char if char in "'\"" else repr(char)[1:-1] for char in text)
    return quote + inner.replace(quote, "\\" + quote) + quote


def _one_line(value: Any) -> str:
    match value:
        case str():
            return string(value)
        case float() if not math.isfinite(value):
            return f'float("{value}")'
        case None | bool() | int() | float():
            return repr(value)
        case dict():
            inner = (f"{_one_line(key)}: {_one_line(item)}" for key, item in value.items())
            return "{" + ", ".join(inner) + "}"
        case list():
            return "[" + ", ".join(map(_one_line, value)) + "]"
        case tuple():
            comma = "," if len(value) == 1 else ""
            return "(" + ", ".join(map(_one_line, value)) + comma + ")"
    raise ExportError(
        f"The model's configuration holds {type(value).__name__}, which a script cannot spell; "
        "open the model from a folder with a config.json."
    )


class Imports:
    """Import statements, gathered while a script is put together."""

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._names: dict[str, set[str]] = {}

    def add(self, module: str, *names: str) -> None:
        """``import module``, or ``from module import names``."""
        if names:
            self._names.setdefault(module, set()).update(names)
        else:
            self._whole.add(module)

    def source(self) -> str:
        """The statements in isort's order: the standard library, then the rest."""
        groups = ("".join(self._group(standard)) for standard in (True, False))
        return "\n".join(filter(None, groups))

    def _group(self, standard: bool) -> Iterator[str]:
        def belongs(module: str) -> bool:
            return (module.split(".")[0] in sys.stdlib_module_names) is standard

        yield from (f"import {module}\n" for module in sorted(filter(belongs, self._whole)))
        for module in sorted(filter(belongs, self._names)):
            yield _from(module, sorted(self._names[module], key=_by_kind))


def _by_kind(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name


def _from(module: str, names: Iterable[str]) -> str:
    line = f"from {module} import {', '.join(names)}\n"
    if len(line) - 1 <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"{_INDENT}{name},\n" for name in names) + ")\n"
