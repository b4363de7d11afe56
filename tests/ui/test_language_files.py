"""The files of the translators: complete, as the sources have it, and compiled as they stand."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QCoreApplication

from memplanner_ui.language import of_system, pattern_of

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "ui" / "memplanner_ui"
TRANSLATIONS = sorted((SOURCES / "translations").glob("*.ts"))
SHOWN = frozenset(
    "setText setToolTip setStatusTip setTitle setWindowTitle setPlaceholderText setAccessibleName "
    "setAccessibleDescription setEmptyLabel setSpecialValueText setLabelText addAction addMenu "
    "addButton addItem add_pair add_button add_view set_title QLabel QPushButton QAction QCheckBox "
    "QRadioButton QMenu label tag Part Panel Fix Notice Segments drawText Entry".split()
)
"""What shows the words that it is given."""
NO_WORDS = frozenset(
    # fonts, inks, icons, kinds and names that code has for itself
    "body secondary heading notice verdict axis mono faint fits trouble caution accent text text2 "
    "text3 info plain model plan command device sample option module free torch transformers "
    "search more left right open save export "
    # values of segments, whose titles stand beside them
    "time step all".split()
)


class Entry(NamedTuple):
    """A text of a context, and what the language makes of it."""

    context: str
    source: str
    texts: tuple[str, ...]


def entries(path: Path) -> Iterator[Entry]:
    for context in ElementTree.parse(path).findall("context"):  # noqa: S314  # our own file
        for message in context.findall("message"):
            translation = message.find("translation")
            assert translation is not None
            forms = translation.findall("numerusform")
            texts = [form.text or "" for form in forms] or [translation.text or ""]
            assert translation.get("type") is None, message.findtext("source")
            yield Entry(context.findtext("name", ""), message.findtext("source", ""), tuple(texts))


def fields(text: str) -> list[tuple[str, str]]:
    """The places for values in a text, with how they are written."""
    parts = Formatter().parse(text)
    return sorted((name, kind or "") for _, name, kind, _ in parts if name is not None)


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
class TestTranslations:
    def test_every_text_has_one(self, path: Path) -> None:
        found = list(entries(path))
        assert len(found) > 2000
        assert not [entry for entry in found if not all(entry.texts)]

    def test_values_have_the_same_places(self, path: Path) -> None:
        for entry in entries(path):
            for text in entry.texts:
                assert fields(text) == fields(entry.source), entry

    def test_lines_and_marks_up_stay(self, path: Path) -> None:
        marks = re.compile(r"<[^>]*>|\n|\t|\*\.\w+|;;")
        for entry in entries(path):
            for text in entry.texts:
                assert marks.findall(text) == marks.findall(entry.source), entry

    def test_names_stay(self, path: Path) -> None:
        names = re.compile(r"\b(LoRA|QLoRA|ZeRO|FSDP2|AdamW|bf16|fp16|fp32|NF4|CUDA|DDP|GPU)\b")
        for entry in entries(path):
            for text in entry.texts:
                assert set(names.findall(text)) == set(names.findall(entry.source)), entry


def test_sources_and_compiled_files_are_as_the_script_makes_them() -> None:
    script = ROOT / "packaging" / "translations.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}; run make translations"


def _calls() -> Iterator[tuple[Path, ast.Call, list[ast.AST]]]:
    def walk(node: ast.AST, above: list[ast.AST]) -> Iterator[tuple[ast.Call, list[ast.AST]]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                yield child, above
            yield from walk(child, [*above, child])

    for path in sorted(SOURCES.rglob("*.py")):
        for call, above in walk(ast.parse(path.read_text("utf-8")), []):
            yield path, call, above


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def test_qt_finds_every_text_that_is_translated() -> None:
    known = {(entry.context, entry.source) for entry in entries(TRANSLATIONS[0])}
    asked = 0
    for path, call, above in _calls():
        if _name(call) in ("translate", "translatable", "plural") and path.name != "language.py":
            context, text = call.args[:2]
            if isinstance(context, ast.Constant) and isinstance(text, ast.Constant):
                asked += 1
                assert (context.value, text.value) in known, f"{path.name}:{call.lineno}"
                assert not any(isinstance(one, ast.JoinedStr) for one in above), call.lineno
    assert asked > 1000


def test_no_words_are_shown_as_they_stand_in_the_code() -> None:
    """Literal arguments of what shows words; longer strings with values in them, too."""
    left = []
    for path, call, _ in _calls():
        if _name(call) in SHOWN and path.name != "report_pdf.py":  # reports are in English
            for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
                for text in _literals(argument):
                    words = re.sub(r"\{[^}]*\}|<[^>]*>", "", text)
                    if re.search("[A-Za-z]{2}", words) and text not in NO_WORDS:
                        left.append(f"{path.relative_to(SOURCES)}:{call.lineno} {text!r}")
    allowed = re.compile(r"'tokens=2x128:int64 mask=2x128'|'/path/on/|'Python '|memplanner(</b>|')")
    assert not [one for one in left if not allowed.search(one)]


def _literals(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr():
            yield "".join(p.value for p in node.values if isinstance(p, ast.Constant))
        case ast.IfExp():
            yield from (*_literals(node.body), *_literals(node.orelse))
        case ast.BinOp():
            yield from (*_literals(node.left), *_literals(node.right))
        case ast.BoolOp():
            for value in node.values:
                yield from _literals(value)


@pytest.mark.parametrize(
    ("system", "ours"),
    [
        (("zh-Hans-CN", "en-US"), "zh_CN"),
        (("zh-CN",), "zh_CN"),
        (("zh-Hans-SG",), "zh_CN"),
        (("zh-Hant-TW", "zh-TW", "zh-Hant", "zh"), "en"),
        (("zh",), "zh_CN"),
        (("zh-TW", "zh-CN"), "zh_CN"),
        (("en-GB", "zh-CN"), "en"),
        (("de-DE",), "en"),
        (("C",), "en"),
        ((), "en"),
    ],
)
def test_the_first_language_of_the_system_that_is_known_is_taken(
    system: tuple[str, ...], ours: str
) -> None:
    assert of_system(system) == ours


def test_numbers_in_summaries_have_no_part_in_the_look_up() -> None:
    assert pattern_of("rank 16") == "rank {}"
    assert pattern_of("16\u2009384 tokens") == "{} tokens"
    assert pattern_of("keep 0.5 MiB of 12") == "keep {} MiB of {}"
    assert QCoreApplication.translate("Plan", "rank {}") == "rank {}"  # none is installed
