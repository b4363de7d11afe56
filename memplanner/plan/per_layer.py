"""Choices for single layers, as text: ``PATTERN=VALUE``, of which the last that matches wins.

A pattern is a layer's path, its last parts (``mlp.down_proj``), or has ``*``, ``?`` and ``[0-3]``
as file names have; ``*`` also matches dots.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

_PART_OF_AN_INDEX = frozenset("0123456789[]!-?*")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)")


class Override(NamedTuple):
    """A value for the layers that a pattern matches."""

    pattern: str
    value: str


def parse(texts: Iterable[str]) -> tuple[Override, ...]:
    """The overrides that texts such as ``model.layers.*.mlp.down_proj=8`` mean, in their order.

    Raises ``ValueError`` for a text without a pattern or a value.
    """
    found = []
    for text in texts:
        pattern, sign, value = (part.strip() for part in text.rpartition("="))
        if not (pattern and sign and value):
            raise ValueError(f"“{text}” is not PATTERN=VALUE, such as mlp.down_proj=8; write it so")
        found.append(Override(pattern, value))
    return tuple(found)


def written(overrides: Iterable[Override]) -> tuple[str, ...]:
    """The texts that ``parse`` reads."""
    return tuple(f"{pattern}={value}" for pattern, value in overrides)


def is_named(name: str, pattern: str) -> bool:
    """Whether ``pattern`` matches the layer at the path ``name``."""
    return fnmatchcase(name, pattern) or name == pattern or name.endswith("." + pattern)


def names_by_number(patterns: Iterable[str]) -> bool:
    """Whether one of ``patterns`` names blocks by number (``layers.3``, ``layers.[0-3]``)."""
    parts = [part for name in patterns for part in name.split(".")]
    return any(_PART_OF_AN_INDEX.issuperset(part) and part.strip("*") for part in parts)


def value_of(name: str, overrides: Sequence[Override]) -> str | None:
    """What the last override that matches ``name`` says, or None."""
    for override in reversed(overrides):
        if is_named(name, override.pattern):
            return override.value
    return None


def with_values(
    texts: Iterable[str], names: Sequence[str], changes: Mapping[str, str | None]
) -> tuple[str, ...]:
    """``texts`` after the layers in ``changes`` got a value each, in as few texts as are found.

    ``names`` are all layers that could have one. None takes a layer's own value away. A layer that
    is not changed keeps its value. Raises ``ValueError`` as ``parse`` does.
    """
    overrides = parse(texts)
    values = {name: changes.get(name, value_of(name, overrides)) for name in names}
    return compact({name: changes[name] if name in changes else values[name] for name in names})


def compact(values: Mapping[str, str | None]) -> tuple[str, ...]:
    """Texts that give each layer in ``values`` its value, and none to those with None.

    First comes the usual value of layers that are alike but for the number of their block
    (``model.layers.*.mlp.up_proj=4``), then what whole blocks and single layers have otherwise.
    """
    kinds: dict[str, list[str]] = {}
    for name in values:
        kinds.setdefault(_NUMBER.sub("*", name), []).append(name)
    usual: list[Override] = []
    for kind, names in kinds.items():
        given = [values[name] for name in names]
        counted = Counter(value for value in given if value is not None)
        if len(names) > 1 and len(counted) and None not in given:
            usual.append(Override(kind, counted.most_common(1)[0][0]))
    others = {
        name: value
        for name, value in values.items()
        if value is not None and value_of(name, usual) != value
    }
    found = [*usual, *_by_block(others, values)]
    if any(value_of(name, found) != value for name, value in values.items()):
        # a pattern also matches a layer of another kind
        found = [Override(name, value) for name, value in values.items() if value is not None]
    return written(found)


def _by_block(others: Mapping[str, str], values: Mapping[str, str | None]) -> list[Override]:
    """Overrides for ``others``: one for all layers of a block that share a value."""
    found: list[Override] = []
    for name, value in others.items():
        if value_of(name, found) == value:
            continue
        block = _block(name)
        inside = [each for each in values if block and each.startswith(f"{block}.")]
        if len(inside) > 1 and all(values[each] == value for each in inside):
            found.append(Override(f"{block}.*", value))
        else:
            found.append(Override(name, value))
    return found


def _block(name: str) -> str:
    """The path up to its first number; empty where it has none before its end."""
    match = _NUMBER.search(name)
    return "" if match is None or match.end() == len(name) else name[: match.end()]
