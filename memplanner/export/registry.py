"""The targets, found by themselves: every ``ExportTarget`` in a module of this package."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

from memplanner.errors import ExportError
from memplanner.export.target import ExportTarget

_PACKAGE = "memplanner.export"


@cache
def all_targets() -> tuple[ExportTarget, ...]:
    """Every target, in order."""
    found: list[ExportTarget] = []
    # Not by attribute: ``memplanner.export`` is the function of that name.
    for module in iter_modules(import_module(_PACKAGE).__path__):
        name = f"{_PACKAGE}.{module.name}"
        found += [
            value()
            for value in vars(import_module(name)).values()
            if isinstance(value, type)
            and issubclass(value, ExportTarget)
            and not isabstract(value)
            and value.__module__ == name
        ]
    return tuple(sorted(found, key=lambda target: (target.order, target.name)))


def find_target(name: str) -> ExportTarget:
    """The target called ``name``. Raises ``ExportError``, listing those there are."""
    known = {target.name: target for target in all_targets()}
    if name in known:
        return known[name]
    close = get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {close[0]}, or one of" if close else "choose one of"
    others = ", ".join(other for other in known if other not in close)
    raise ExportError(f"“{name[:80]}” is no export target; {hint} {others}.")
