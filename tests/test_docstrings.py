"""Every public name says what it is, and a name of memory says that it is in bytes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from PySide6 import QtCore, QtGui, QtWidgets

ROOT = Path(__file__).parents[1]
PACKAGES = {"memplanner": ROOT / "memplanner", "memplanner_ui": ROOT / "ui" / "memplanner_ui"}

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_OF_MEMORY = re.compile(r"(^|_)(memory|allocated|reserved|capacity|footprint)(_|$)")
_IN_BYTES = re.compile(r"_bytes$|_mib$|_by_phase$|_units$")
"""``_mib`` where a person types it; of ``…_by_phase`` each phase’s value is in bytes.

``_units`` are those of torch’s allocator, 512 bytes each.
"""
_ENCODED = {"SnapshotCurve.allocated_bytes", "SnapshotCurve.reserved_bytes"}
"""64-bit numbers of bytes in base 64: half a million points a curve."""


class Definition(NamedTuple):
    """A module, class or function."""

    module: str
    name: str
    node: Documented


def public(package: str) -> list[Definition]:
    """Every public definition of a package, module by module."""
    return [one for one in definitions(package) if not re.search(r"(^|\.)_", one.name)]


@cache
def definitions(package: str) -> tuple[Definition, ...]:
    """Every module, class and function of a package, and methods of classes."""
    return tuple(_read(package))


def _read(package: str) -> Iterator[Definition]:
    for path in sorted(PACKAGES[package].rglob("*.py")):
        parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
        module = ".".join((package, *parts)).removesuffix(".__init__")
        tree = ast.parse(path.read_text("utf-8"))
        yield Definition(module, "", tree)
        yield from _inside(module, "", tree)


def _inside(module: str, prefix: str, node: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    for one in node.body:
        if isinstance(one, Documented):
            yield Definition(module, prefix + one.name, one)
            if isinstance(one, ast.ClassDef):
                yield from _inside(module, f"{prefix}{one.name}.", one)
            else:
                del one.body[1:]  # what garbage collection would go through again and again


@cache
def classes(package: str) -> dict[str, ast.ClassDef]:
    """The classes of a package by their names, private ones too."""
    found = definitions(package)
    return {one.name: one.node for one in found if isinstance(one.node, ast.ClassDef)}


def says_it_elsewhere(one: Definition, package: str) -> bool:
    """Whether a method overrides Qt's, or one of ours that says what it does."""
    owner, _, method = one.name.rpartition(".")
    return bool(owner) and _inherited(method, owner, package)


def _inherited(method: str, owner: str, package: str) -> bool:
    for base in classes(package)[owner].bases:
        name = ast.unparse(base).rpartition(".")[2]
        ours = classes(package).get(name)
        if ours is None:
            if any(hasattr(getattr(qt, name, None), method) for qt in (QtWidgets, QtGui, QtCore)):
                return True
        elif any(
            isinstance(inner, ast.FunctionDef) and inner.name == method and ast.get_docstring(inner)
            for inner in ours.body
        ) or _inherited(method, name, package):
            return True
    return False


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_says_what_it_is(package: str) -> None:
    silent = [
        f"{one.module}: {one.name or 'the module'}"
        for one in public(package)
        if not ast.get_docstring(one.node) and not says_it_elsewhere(one, package)
    ]
    assert silent == []


def typed(node: Documented, name: str) -> Iterator[tuple[str, str, ast.expr]]:
    """The fields of a class, or the arguments and the result of a function: whose, name, type."""
    if isinstance(node, ast.ClassDef):
        for one in node.body:
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                yield name, one.target.id, one.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if node.returns is not None:
            yield name, name.rpartition(".")[2], node.returns
        for given in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            if given.annotation is not None:
                yield name, given.arg, given.annotation


def is_number(kind: ast.expr) -> bool:
    """Whether a type is a whole number, or made of such."""
    return any(isinstance(one, ast.Name) and one.id == "int" for one in ast.walk(kind))


@pytest.mark.parametrize("package", PACKAGES)
def test_numbers_of_memory_are_named_in_bytes(package: str) -> None:
    unsaid = [
        f"{one.module}: {whose}, {name}"
        for one in public(package)
        for whose, name, kind in typed(one.node, one.name)
        if not name.startswith("_")
        and _OF_MEMORY.search(name)
        and not _IN_BYTES.search(name)
        and is_number(kind)
    ]
    assert unsaid == []


def test_bytes_in_messages_are_whole_numbers() -> None:
    others = {
        f"{whose}.{name}"
        for one in public("memplanner")
        if one.module.startswith("memplanner.messages")
        for whose, name, kind in typed(one.node, one.name)
        if name.endswith("_bytes") and not is_number(kind)
    }
    assert others == _ENCODED
