"""A trainer's keys, each taken once: what nobody took is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memplanner.errors import PlanError

_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_NOTHING = (None, "", "null", "none", "None", "~")
LONGEST_SHOWN = 60


class Keys:
    """A mapping of a file. Absent, null and empty values are all the default."""

    def __init__(self, values: Mapping[str, Any], origin: str, within: str = "") -> None:
        self._values = {str(key): value for key, value in values.items()}
        self._origin, self._within = origin, within
        self._taken: set[str] = set()
        self._parts: list[Keys] = []

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def take(self, *names: str) -> Any:
        """The value of the first of ``names`` that has one, or None; all of them are taken."""
        self._taken.update(names)
        found = [self._values[name] for name in names if self._values.get(name) is not None]
        return found[0] if found and found[0] not in _NOTHING else None

    def flag(self, *names: str, default: bool = False) -> bool:
        """A yes or no, as YAML 1.1 has them too. Raises ``PlanError``."""
        value = self.take(*names)
        if value is None:
            return default
        word = str(value).strip().lower()
        if word not in (*_YES, *_NO):
            raise self.wrong(names[0], value, "true or false")
        return word in _YES

    def whole(self, *names: str, default: int | None = None) -> int | None:
        """A whole number. Raises ``PlanError``."""
        value = self.number(*names)
        if value is None:
            return default
        if not value.is_integer():
            raise self.wrong(names[0], value, "a whole number")
        return int(value)

    def number(self, *names: str) -> float | None:
        """A number; ``5e-5``, which YAML 1.1 takes for text, is one. Raises ``PlanError``."""
        value = self.take(*names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self.wrong(names[0], value, "a number")
        try:
            return float(value)
        except (ValueError, OverflowError) as error:
            raise self.wrong(names[0], value, "a number") from error

    def word(self, *names: str, default: str = "") -> str:
        """A text. Raises ``PlanError``."""
        value = self.take(*names)
        if value is None:
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float):
            raise self.wrong(names[0], value, "one word")
        return str(value)

    def words(self, *names: str) -> tuple[str, ...]:
        """Texts: a list, or one with commas. Raises ``PlanError``."""
        value = self.take(*names)
        if value is None:
            return ()
        if isinstance(value, str):
            return tuple(filter(None, (part.strip() for part in value.split(","))))
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise self.wrong(names[0], value, "a list of words")
        return tuple(value)

    def part(self, *names: str) -> Keys:
        """A mapping within; empty where there is none. Raises ``PlanError``."""
        value = self.take(*names)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise self.wrong(names[0], value, "keys and values")
        found = Keys(value, self._origin, f"{self._within}{names[0]}.")
        self._parts.append(found)
        return found

    def left(self) -> Iterator[tuple[str, Any]]:
        """What nobody took and has a value, with dotted names."""
        for name, value in self._values.items():
            if name not in self._taken and value not in _NOTHING:
                yield self._within + name, value
        for part in self._parts:
            yield from part.left()

    def wrong(self, name: str, value: object, takes: str) -> PlanError:
        """The error that ``name`` has a value which it cannot have."""
        return PlanError(
            f"{self._origin} says {self._within}{name}: {shown(value)}, but that takes {takes}; "
            "correct it."
        )


def shown(value: object) -> str:
    """A value in a sentence: one short line."""
    text = " ".join(
        ("true" if value is True else "false" if value is False else str(value)).split()
    )
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
