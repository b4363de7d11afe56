"""Which names of the standard library a system has, as the type checker's stubs say it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mypy

STUBS = Path(mypy.__file__).parent / "typeshed" / "stdlib"
SYSTEMS = ("linux", "darwin", "win32")
OS_NAMES = {"linux": "posix", "darwin": "posix", "win32": "nt"}


def holds_on(test: ast.expr, system: str) -> bool | None:
    """Whether a condition is true on a system; None where it does not depend on it alone."""
    if isinstance(test, ast.BoolOp):
        parts = [holds_on(one, system) for one in test.values]
        decisive = isinstance(test.op, ast.Or)
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        part = holds_on(test.operand, system)
        return None if part is None else not part
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    here = {"sys.platform": system, "os.name": OS_NAMES[system]}.get(ast.unparse(test.left))
    named = test.comparators[0]
    if here is None or not isinstance(named, ast.Constant):
        return None
    same = here == named.value
    return {ast.Eq: same, ast.NotEq: not same}.get(type(test.ops[0]))


def reached(body: list[ast.stmt], system: str) -> Iterator[ast.stmt]:
    """The statements of a block that a system comes to, those of its conditions among them."""
    for statement in body:
        if isinstance(statement, ast.If):
            holds = holds_on(statement.test, system)
            if holds is None:
                yield ast.Expr(statement.test)
            if holds is not False:
                yield from reached(statement.body, system)
            if holds is not True:
                yield from reached(statement.orelse, system)
            if holds and _leaves(statement.body):
                return
        else:
            yield statement


@cache
def names(module: str, system: str) -> frozenset[str]:
    """What a module of the standard library defines on a system; nothing where it has no stub."""
    path = STUBS.joinpath(*module.split("."))
    file = path / "__init__.pyi" if path.is_dir() else path.with_suffix(".pyi")
    if not file.is_file():
        return frozenset()
    found: set[str] = set()
    for one in reached(ast.parse(file.read_text("utf-8")).body, system):
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(one.name)
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            found.add(one.target.id)
        elif isinstance(one, ast.Assign):
            found |= {to.id for to in one.targets if isinstance(to, ast.Name)}
        elif isinstance(one, ast.ImportFrom) and one.module and one.names[0].name == "*":
            found |= names(one.module, system)
    return frozenset(found)


@cache
def lacking(module: str, system: str) -> frozenset[str]:
    """What another system has of a module, and this one has not."""
    return everywhere(module) - names(module, system)


@cache
def everywhere(module: str) -> frozenset[str]:
    """What a module has on any system."""
    return frozenset().union(*(names(module, one) for one in SYSTEMS))


@cache
def is_absent(module: str, system: str) -> bool:
    """Whether a system has nothing of a module that another one has."""
    return bool(everywhere(module)) and not names(module, system)


def _leaves(body: list[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
