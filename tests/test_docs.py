"""The pages: links lead somewhere, commands are taken, and what is shown is what comes out."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import typer
from typer.core import TyperGroup

from memplanner.cli.commands import app
from memplanner.hardware import find_device
from memplanner.model.presets import PREFIX, find_preset
from memplanner.plan import Plan, keys
from memplanner_ui.help.pages import parse
from tests.terminal import memplanner

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")]
PAGES += sorted(DOCS.glob("*.md"))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`(memplanner [a-z][^`]*)`")
_SCHEMATIC = re.compile(r"\[|…|\.\.\.|\|")
"""What stands for several commands at once."""
_LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
COMMANDS = typer.main.get_command(app)


def blocks(page: Path, *kinds: str) -> list[str]:
    """The fenced blocks of a page that are marked with one of ``kinds``."""
    found = _BLOCK.findall(page.read_text("utf-8"))
    return [text for kind, text in found if kind in kinds]


class Command(NamedTuple):
    """A command of ``memplanner`` that a page names."""

    text: str
    whole: bool
    """Whether it stands in a block, as it is typed, and not in a sentence."""


def commands(page: Path) -> Iterator[Command]:
    """Every command that a page names."""
    for text in blocks(page, "", "console", "yaml"):
        for line in text.replace("\\\n", " ").splitlines():
            named = re.sub(r"^\s*(\$ |- run: )", "", line).partition("  #")[0].strip()
            if named.startswith("memplanner "):
                yield Command(named, whole=True)
    for text in _INLINE.findall(_BLOCK.sub("", page.read_text("utf-8"))):
        yield Command(text, whole=False)


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a ``console`` block, and what stands below each."""
    for part in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


# --- What pages point to ---------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_and_pictures_are_there(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text("utf-8"))
    for link in _LINK.findall(text):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link} is not there"
        if anchor:
            shown = parse(target.name, target.read_text("utf-8"))
            assert shown.heading_of(anchor) is not None, f"{page.name}: {link} leads nowhere"


def test_every_picture_is_shown_and_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        if page.suffix == ".md":
            links = {link.partition("#")[0] for link in _LINK.findall(page.read_text("utf-8"))}
            near = {(page.parent / link).resolve() for link in links if link and ":" not in link}
            waiting += near - reached
    assert {*(DOCS / "images").iterdir(), *PAGES} <= reached


def test_the_readme_says_what_the_accuracy_page_does() -> None:
    def rows(page: Path) -> list[list[str]]:
        lines = page.read_text("utf-8").splitlines()
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    told = [row for row in rows(ROOT / "README.md") if row[-1].endswith("00 %")]
    told += [row for row in rows(ROOT / "README.md") if re.fullmatch(r"\d\d %", row[-1])]
    assert len(told) >= 5
    written = rows(DOCS / "accuracy.md")
    assert all(row in written for row in told)


# --- What pages tell to type -----------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_are_ones_that_the_terminal_takes(page: Path) -> None:
    assert isinstance(COMMANDS, TyperGroup)
    sections = {key.partition(".")[0] for key in keys()}
    for text, whole in commands(page):
        _, name, *arguments = shlex.split(text)
        assert name in COMMANDS.commands, text
        if _SCHEMATIC.search(text) or "--help" in arguments or not arguments:
            continue
        command = COMMANDS.commands[name]
        known = {option for one in command.params for option in one.opts}
        assert {one for one in arguments if one.startswith("--")} <= known, text
        asked = command.make_context(name, arguments, resilient_parsing=not whole).params
        Plan().with_values(dict(one.split("=", 1) for one in asked.get("sets") or ()))
        for key in (*(asked.get("pins") or ()), *(asked.get("techniques") or ())):
            assert key in {*keys(), *sections}, text
        device, source = asked.get("device"), str(asked.get("source"))
        if device not in (None, "auto", "CARD") and ":" not in device:
            find_device(device)
        if source.startswith(PREFIX):
            find_preset(source.removeprefix(PREFIX))


def test_python_that_is_not_run_names_what_there_is() -> None:
    for page in PAGES:
        for text in blocks(page, "python"):
            compile(text, page.name, "exec")
            for module, names in re.findall(r"^from ([\w.]+) import (.+)$", text, re.MULTILINE):
                assert all(hasattr(import_module(module), name) for name in names.split(", "))
            for name in re.findall(r"\bmp\.(\w+)", text):
                assert name in import_module("memplanner").__all__, f"{page.name}: mp.{name}"


# --- What pages show -------------------------------------------------------------------------


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")],
                         ids=lambda page: page.name)  # fmt: skip
def test_commands_print_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checker = doctest.OutputChecker()
    for text in blocks(page, "console"):
        for command, shown in sessions(text):
            result = memplanner(*shlex.split(command.partition("  #")[0])[1:])
            assert result.exit_code == ("# exit code 1" in command), result.stderr
            want = shown.replace("…", "...")
            assert checker.check_output(want, result.stdout, _LOOSE), result.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "pycon")],
                         ids=lambda page: page.name)  # fmt: skip
def test_python_sessions_come_out_as_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session = "\n".join(blocks(page, "pycon"))
    run(doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0))


def run(example: doctest.DocTest) -> None:
    told: list[str] = []
    result = doctest.DocTestRunner(optionflags=_LOOSE).run(example, out=told.append)
    assert result.attempted
    assert not result.failed, "".join(told)


def modules_with_examples() -> list[str]:
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "memplanner").rglob("*.py"))
        if re.search(r"^ *>>> ", path.read_text("utf-8"), re.MULTILINE)
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings_come_out_as_shown(name: str) -> None:
    module: ModuleType = import_module(name)
    examples = [one for one in doctest.DocTestFinder().find(module, name) if one.examples]
    assert examples
    for example in examples:
        run(example)


def test_the_main_ways_in_have_examples() -> None:
    assert set(modules_with_examples()) >= {
        "memplanner",
        "memplanner.estimate",
        "memplanner.export",
        "memplanner.model.sources",
        "memplanner.plan.plan",
        "memplanner.search.answers",
        "memplanner.units",
    }
