"""Definitions of the engine as one Python module, for a script to bring along: what it uses alone.

From a few names all that they use is followed through the engine's modules. What is left of a
module keeps its text, so that a script runs the code that a plan was predicted and run with.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tokenize import NAME, generate_tokens
from types import MappingProxyType

from memplanner.export.python_source import Imports

ENGINE = "memplanner"
Name = tuple[str, str]
"""A module of the engine, and what it defines."""


def carried(roots: Iterable[Name], given: Mapping[Name, str], head: str, imports: Imports) -> str:
    """A module with what ``roots`` name and all that it uses, after ``head``.

    ``given`` is the source of names that are not followed, because the script has its own of them;
    that stands in front, and ``imports`` are what it needs.
    """
    found = followed(roots, given)
    parts = [given[name] for name in given if name in found.given]
    renamed = _renamed(found)
    for module in found.order:
        source = _source(module)
        names = [name for owner, name in found.names if owner == module]
        own = renamed.get(module, {})
        parts += [_with_names(place.text, own) for place in source.places(names)]
        for name in source.imported(names):
            if not name.module.startswith(ENGINE):
                imports.add(*name.statement)
    space = "\n\n" if _BLOCK.match(parts[0]) else "\n"
    return head + imports.source() + space + _joined(parts)


@dataclass(slots=True)
class Followed:
    """What some names use, themselves included."""

    names: list[Name] = field(default_factory=list)
    given: set[Name] = field(default_factory=set)
    """Those that were not followed."""
    order: list[str] = field(default_factory=list)
    """The modules, each after those that it uses."""

    def attributes(self, holders: Container[str] | None = None) -> frozenset[str]:
        """Every attribute that the found code asks, of anything or of what is called so."""
        return frozenset(
            node.attr
            for module, name in self.names
            for node in ast.walk(_source(module).places([name])[0].node)
            if isinstance(node, ast.Attribute)
            and (holders is None or _called(node.value) in holders)
        )


def followed(roots: Iterable[Name], given: Iterable[Name]) -> Followed:
    """All that ``roots`` use of the engine, as far as it is not ``given``."""
    found, stop, known = Followed(), frozenset(given), set[Name]()
    under_way: set[str] = set()

    def follow(module: str, name: str) -> None:
        if (module, name) in stop:
            found.given.add((module, name))
            return
        source = _source(module)
        if name not in source.defined:  # the module hands on what another defines
            other = source.imports[name]
            follow(other.module, other.name)
            return
        if (module, name) in known:
            return
        known.add((module, name))
        first = module not in under_way
        under_way.add(module)
        for used in sorted(source.used_by(name)):
            if used in source.defined:
                follow(module, used)
        for imported in source.imported([name]):
            if imported.module.startswith(ENGINE):
                follow(imported.module, imported.name)
        found.names.append((module, name))
        if first:
            found.order.append(module)

    for module, name in roots:
        follow(module, name)
    return found


def _called(node: ast.expr) -> str:
    """The last name of ``plan`` or ``self._plan``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


@dataclass(frozen=True, slots=True)
class _Imported:
    """What an import statement names."""

    module: str
    name: str
    alias: str | None
    whole: bool = False
    """Whether it is a module itself."""

    @property
    def statement(self) -> tuple[str, ...]:
        """What ``Imports.add`` is given."""
        said = f" as {self.alias}" if self.alias else ""
        return (self.module + said,) if self.whole else (self.module, self.name + said)


@dataclass(frozen=True, slots=True)
class _Place:
    """One definition."""

    node: ast.stmt
    text: str


class _Source:
    """The top level of one module."""

    def __init__(self, module: str) -> None:
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        text = Path(spec.origin).read_text("utf-8")
        self._lines = text.splitlines()
        self.defined: dict[str, int] = {}
        """Names, by the place of their statement."""
        self.imports: dict[str, _Imported] = {}
        self._statements = ast.parse(text).body
        for place, node in enumerate(self._statements):
            if isinstance(node, ast.If):  # what is imported for types alone
                for inner in node.body:
                    self.imports |= _imports_of(inner)
            self.imports |= _imports_of(node)
            self.defined |= dict.fromkeys(_defined_by(node), place)

    def used_by(self, name: str) -> set[str]:
        """The names that a definition reads, those of its annotations too."""
        node = self._statements[self.defined[name]]
        return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}

    def imported(self, names: Iterable[str]) -> Iterator[_Imported]:
        """What the definitions use that was imported, here or within them."""
        for name in names:
            own = self.imports | _imports_within(self._statements[self.defined[name]])
            used = self.used_by(name)
            for each, imported in own.items():
                inside = each not in self.imports or self.imports[each] != imported
                if each in used and (not inside or imported.module.startswith(ENGINE)):
                    yield imported

    def places(self, names: Iterable[str]) -> list[_Place]:
        """The definitions of ``names``, in their order."""
        numbers = sorted({self.defined[name] for name in names})
        return [_Place(self._statements[number], self._text(number)) for number in numbers]

    def _text(self, number: int) -> str:
        """The statement with comments above it and words below, without the engine's imports."""
        node = self._statements[number]
        decorators = getattr(node, "decorator_list", [])
        start = min([node.lineno, *(each.lineno for each in decorators)]) - 1
        while start and self._lines[start - 1].startswith("#"):
            start -= 1
        stop = node.end_lineno or node.lineno
        after = self._statements[number + 1] if number + 1 < len(self._statements) else None
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_words(after):
            assert after is not None
            stop = after.end_lineno or stop
        dropped = set[int]()
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom) and (inner.module or "").startswith(ENGINE):
                last = inner.end_lineno or inner.lineno
                dropped |= set(range(inner.lineno - 1, last))
                if not self._lines[last].strip():
                    dropped.add(last)
        lines = [self._lines[line] for line in range(start, stop) if line not in dropped]
        return "\n".join(lines)


@cache
def _source(module: str) -> _Source:
    return _Source(module)


def _is_words(node: ast.stmt | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _defined_by(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    for target in targets:
        yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def _imports_of(node: ast.AST) -> dict[str, _Imported]:
    if isinstance(node, ast.ImportFrom) and node.module != "__future__":
        return {
            each.asname or each.name: _Imported(node.module or "", each.name, each.asname)
            for each in node.names
        }
    if isinstance(node, ast.Import):
        return {
            each.asname or each.name.split(".")[0]: _Imported(
                each.name, each.name, each.asname, whole=True
            )
            for each in node.names
        }
    return {}


def _imports_within(node: ast.stmt) -> dict[str, _Imported]:
    found: dict[str, _Imported] = {}
    for inner in ast.walk(node):
        found |= _imports_of(inner)
    return found


def _renamed(found: Followed) -> dict[str, dict[str, str]]:
    """New names, by module, for what another module defines too."""
    owners: dict[str, str] = {}
    renamed: dict[str, dict[str, str]] = {}
    for module in sorted(found.order):
        for name in [name for owner, name in found.names if owner == module]:
            if owners.setdefault(name, module) != module:
                assert name.startswith("_"), f"{module} and {owners[name]} both define {name}"
                renamed.setdefault(module, {})[name] = f"{name}_{module.rpartition('.')[2]}"
    return renamed


def _with_names(text: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """The source with other names for what it reads; attributes keep theirs."""
    if not any(name in text for name in names):
        return text
    lines = text.splitlines()
    for token in reversed(list(generate_tokens(StringIO(text).readline))):
        if token.type == NAME and token.string in names:
            row, start = token.start[0] - 1, token.start[1]
            before = lines[row][:start]
            if not before.endswith("."):
                lines[row] = before + names[token.string] + lines[row][start + len(token.string) :]
    return "\n".join(lines)


_BLOCK = re.compile(r"(@|def |class |#)")


def _joined(parts: list[str]) -> str:
    """The definitions with two lines between functions and classes, none between constants."""
    text = parts[0]
    for before, after in pairwise(parts):
        apart = _BLOCK.match(before) or _BLOCK.match(after)
        text += ("\n\n\n" if apart else "\n") + after
    return text + "\n"
