"""A package of the engine as one Python module, for a script to bring along."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from importlib.resources import files

from memplanner.export.python_source import Imports


def one_module(
    package: str, parts: Sequence[str], head: str, beside: Mapping[str, str] | None = None
) -> str:
    """The modules ``parts`` of a package, each after those that it needs, as one after ``head``.

    ``beside`` names other packages that they import from, each with its module in the script's
    folder.
    """
    imports = Imports()
    bodies = []
    for part in parts:
        source = files(package).joinpath(f"{part}.py").read_text("utf-8")
        bodies.append(_body(source, imports, package, beside or {}))
    space = "\n\n" if bodies[0].startswith(("def ", "class ", "@")) else "\n"
    return head + imports.source() + space + "\n\n".join(bodies)


def _body(source: str, imports: Imports, package: str, beside: Mapping[str, str]) -> str:
    """The source after its imports, which are gathered; those of the package itself fall away."""
    last = 0
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            for name in node.names:
                imports.add(name.name)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            module = next((own for name, own in beside.items() if module.startswith(name)), module)
            if module != "__future__" and not module.startswith(package):
                imports.add(module, *(name.name for name in node.names))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            break
        last = node.end_lineno or last
    return "\n".join(source.splitlines()[last:]).strip("\n") + "\n"
