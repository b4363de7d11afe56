"""Nothing that one system lacks is called there: Linux, macOS and Windows, by their stubs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.portability import SYSTEMS, holds_on, is_absent, lacking, reached

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "memplanner").rglob("*.py")) + sorted((ROOT / "ui").rglob("*.py"))
FOLDERS_OF_LINUX = ("/proc", "/sys/", "/dev/", "/tmp", "/run/", "/etc/", "/usr/")  # noqa: S108  (looked for, not used)

READ_WHERE_THERE = {
    "memplanner/hardware/host.py": "what a control group leaves, where the system has one",
    "memplanner/run/kernel_kills.py": "counts of the kernel's kills; None where it keeps none",
    "ui/memplanner_ui/engine/process.py": "whether a signal stopped it; not known elsewhere",
    "memplanner/run/memory_limit.py": "its own size, asked for under “resource” alone",
}
"""Modules that name files of Linux, and what becomes of it elsewhere."""


class Uses(ast.NodeVisitor):
    """The names of the standard library that a module uses on a system, with their lines."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.modules: dict[str, str] = {}
        self.found: list[tuple[int, str, str]] = []

    def visit_block(self, body: list[ast.stmt]) -> None:
        for statement in reached(body, self.system):
            self.visit(statement)

    def generic_visit(self, node: ast.AST) -> None:
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self.visit_block(value)
            elif isinstance(value, list):
                for one in value:
                    if isinstance(one, ast.AST):
                        self.visit(one)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        holds = holds_on(node.test, self.system)
        if holds is not False:
            self.visit(node.body)
        if holds is not True:
            self.visit(node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for one in node.values:
            self.visit(one)
            if holds_on(one, self.system) is isinstance(node.op, ast.Or):
                return  # the others are not looked at

    def visit_Try(self, node: ast.Try) -> None:
        caught = {ast.unparse(one.type) for one in node.handlers if one.type is not None}
        if not caught & {"ImportError", "ModuleNotFoundError", "AttributeError"}:
            self.visit_block(node.body)
        for handler in node.handlers:
            self.visit(handler)
        self.visit_block(node.orelse)
        self.visit_block(node.finalbody)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.modules[alias.asname or alias.name] = alias.name
            self.found.append((node.lineno, alias.name, ""))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if not node.level and node.module:
            self.found += [(node.lineno, node.module, alias.name) for alias in node.names]

    def visit_Attribute(self, node: ast.Attribute) -> None:
        module = self.modules.get(ast.unparse(node.value))
        if module is not None:
            self.found.append((node.lineno, module, node.attr))
        self.visit(node.value)


MODULES = ("os", "signal", "socket", "subprocess", "sys", "time", "select", "shutil", "mmap")
"""Those of which one system has more than another, beside those that one has not at all."""
ABSENT = ("fcntl", "grp", "msvcrt", "pty", "pwd", "resource", "termios", "tty", "winreg", "posix")


def missing(tree: ast.Module, system: str) -> list[str]:
    """What a module uses that the system has not, each with its line."""
    uses = Uses(system)
    uses.visit_block(tree.body)
    return [
        f"{line}: {module}.{name}".rstrip(".")
        for line, module, name in uses.found
        if name in lacking(module, system) or is_absent(module, system)
    ]


def test_nothing_is_used_that_a_system_has_not() -> None:
    everything = (lacking(module, system) for module in MODULES for system in SYSTEMS)
    suspicious = frozenset().union(*everything, ABSENT)
    found = []
    for path in SOURCES:
        text = path.read_text("utf-8")
        if suspicious.isdisjoint(re.findall(r"\w+", text)):
            continue  # the others need no closer look
        for system in SYSTEMS:
            found += [
                f"{system}: {path.relative_to(ROOT)}:{one}"
                for one in missing(ast.parse(text), system)
            ]
    assert not found


def test_files_of_one_system_are_named_only_where_their_absence_is_handled() -> None:
    named = {}
    for path in SOURCES:
        text = path.read_text("utf-8")
        if any(folder in text for folder in FOLDERS_OF_LINUX):
            constants = (
                node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)
            )
            texts = [one.value for one in constants if isinstance(one.value, str)]
            if found := [one for one in texts if one.startswith(FOLDERS_OF_LINUX)]:
                named[path.relative_to(ROOT).as_posix()] = found
    assert named.keys() == READ_WHERE_THERE.keys(), named


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os\nos.killpg(1, 9)", ["2: os.killpg"]),
        ("import os\nif os.name == 'posix':\n    os.killpg(1, 9)", []),
        ("import sys, os\nif sys.platform == 'win32':\n    raise OSError\nos.fork()", []),
        ("import sys, os\nif sys.platform != 'win32' and os.x:\n    os.fork()", []),
        ("import os\nif x and os.getuid():\n    pass", ["2: os.getuid"]),
        ("import os\nx = os.name == 'nt' or os.getuid()", []),
        ("import os\ndef f():\n    while 1:\n        os.fork()", ["4: os.fork"]),
        ("def f():\n    import fcntl\n    fcntl.flock", ["2: fcntl", "3: fcntl.flock"]),
        ("try:\n    import resource\nexcept ImportError:\n    pass", []),
        ("from signal import SIGKILL", ["1: signal.SIGKILL"]),
        ("import signal\nx = signal.SIGINT", []),
    ],
)
def test_the_check_sees_what_it_is_to_see(code: str, found: list[str]) -> None:
    assert missing(ast.parse(code), "win32") == found
