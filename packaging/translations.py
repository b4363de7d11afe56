"""Collects the window's words for the translators, and compiles what they have made of them.

    python packaging/translations.py [--check]

Qt's own tools do both: ``lupdate`` reads the sources, ``lrelease`` makes the .qm files that the
window loads and that come with it. ``lupdate`` sees neither numerals nor words that are data: the
actions, the schema of plans, the parts of estimates. They are written for it into a file of calls.
Running twice gives the same files; with --check nothing is written, and what would change is said.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "ui" / "memplanner_ui"
FOLDER = SOURCES / "translations"
LANGUAGES = ("zh_CN",)
"""Those that the window is translated to; ``memplanner_ui.language`` offers them."""

ENGINE_WORDS = (
    # what plans that a search finds are called (memplanner/search)
    "recompute all but {} MiB", "recompute all but {} GiB", "recompute {} of {} blocks",
    "activations of {} of {} blocks on host", "no accumulation", "micro-batch {}", "{} tokens",
    "{} cards", "bf{} mixed", "loss in {} chunks", "keep operations", "keep products",
    # what a device holds beside tensors (memplanner/hardware)
    "CUDA context", "Loaded kernels", "Kernels loaded at the start", "HIP context",
    "NCCL buffers", "Generated kernels", "DeepSpeed's overlapping streams", "Allocator slack",
    "Kept by the driver", "Other processes", "Other programs",
    # rows of tables that compare plans (memplanner/report)
    "Device overhead", "Peak", "In host memory", "Optimizer", "Between", "Step", "none", "on",
    "off", "same", "recorded on meta tensors", "{} blocks folded to {}", "Language", "Vision",
    "Speech", "held back by torch’s allocator", "no program gets it", "now on the device",
    "each phase has the same width in every plan, and what the device holds beside is added",
    "the micro-batch of the peak, or the last; each phase has the same width in every plan, and "
    "what the device holds beside is added",
    "allocations and frees from the start of a step, counted: its time is not known",
    "the estimated time of a step, its allocations and frees spread evenly over it",
)  # fmt: skip
"""Short words that the engine makes where the window shows them beside its own."""


def main() -> int:
    """Brings the files up to date, or says what is not; the exit code."""
    parser = argparse.ArgumentParser(description="Collect words, and compile translations.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = []
    for language in LANGUAGES:
        with tempfile.TemporaryDirectory() as scratch:
            made = updated(language, Path(scratch))
            for new in (made, compiled(made)):
                old = FOLDER / new.name
                if not old.exists() or old.read_bytes() != new.read_bytes():
                    stale.append(str(old.relative_to(ROOT)))
                    if not check:
                        old.write_bytes(new.read_bytes())
            print(f"{made.name}: {unfinished(made)} of {len(messages(made))} without a translation")
    for name in stale:
        print(f"{name} {'is not up to date' if check else 'is written anew'}")
    return 1 if check and stale else 0


def updated(language: str, folder: Path) -> Path:
    """The translations of ``language`` in ``folder``, with the words as the sources have them."""
    made = folder / f"memplanner_{language}.ts"
    known = FOLDER / made.name
    if known.exists():
        made.write_bytes(known.read_bytes())
    calls = folder / "words.py"
    calls.write_text("".join(_calls()), "utf-8")
    sources = sorted(path for path in SOURCES.rglob("*.py") if path.name != "language.py")
    _run(
        "pyside6-lupdate", "-silent", "-locations", "none", "-no-obsolete", "-sort-messages",
        "-disable-heuristic", "similartext", "-disable-heuristic", "sametext",
        "-tr-function-alias", "translate+=translatable", "-source-language", "en",
        "-target-language", language, *map(str, sources), str(calls), "-ts", str(made),
    )  # fmt: skip
    return made


def compiled(translations: Path) -> Path:
    """The .qm file of a .ts file, beside it."""
    made = translations.with_suffix(".qm")
    _run("pyside6-lrelease", "-silent", "-nounfinished", str(translations), "-qm", str(made))
    return made


def messages(translations: Path) -> list[ElementTree.Element]:
    """Every entry of a .ts file."""
    return ElementTree.parse(translations).findall("context/message")  # noqa: S314  (the project's own)


def unfinished(translations: Path) -> int:
    """How many entries have no translation yet."""
    kinds = (one.find("translation") for one in messages(translations))
    return sum(kind is not None and kind.get("type") == "unfinished" for kind in kinds)


def _run(program: str, *arguments: str) -> None:
    subprocess.run([str(Path(sys.executable).parent / program), *arguments], check=True)


def _calls() -> Iterator[str]:
    """Calls that ``lupdate`` reads, for the words that it would not find."""
    for context, text in sorted(_data()):
        yield f"translate({context!r}, {_literal(text)})\n"
    for context, many, one in sorted(_numerals()):
        # a number instead of a name: only so lupdate takes the call for one with forms
        yield f"translate({context!r}, {_literal(many)}, {_literal(one)}, 2)\n"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _numerals() -> set[tuple[str, str, str]]:
    """Context and words of every call of ``plural``."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "plural":
                context, many, one = (ast.literal_eval(argument) for argument in node.args[:3])
                found.add((context, many, one))
    return found


def _data() -> set[tuple[str, str]]:
    """Context and text of the words that are data."""
    from memplanner_ui.actions import ACTIONS, MENUS

    actions = {*MENUS, *(word for one in ACTIONS for word in (one.text, one.tip))}
    plan = {*_schema_words(), *_summary_words(), *_report_words(), *_alternative_words()}
    plan |= {
        *ENGINE_WORDS,
        *_class_words("export", "explanation"),
        *_class_words("export", "title"),
    }
    plan |= set(_key_words())
    found = {("Actions", word) for word in actions} | {("Plan", word) for word in plan}
    return {(context, word) for context, word in found if re.search("[A-Za-z]{2}", word)}


def _schema_words() -> Iterator[str]:
    """Titles and explanations of the plan's sections, options and choices; the samples'."""
    from memplanner.plan import Plan
    from memplanner.plan.samples import samples
    from memplanner_ui.plan_panel.form import sections_of

    for section in sections_of(Plan):
        yield from (section.title, section.explanation)
        for option in section.options:
            yield from (option.title, option.explanation)
            for choice in option.choices:
                yield from (choice.title, choice.explanation)
    for sample in samples():
        yield from (sample.title, sample.sentence)


def _key_words() -> Iterator[str]:
    """The names of keys, as the history of the plan's changes has them."""
    from memplanner.plan import keys

    for key in keys():
        section, _, name = key.rpartition(".")
        yield from (section, section.replace("_", " "), name.replace("_", " "))


def _report_words() -> Iterator[str]:
    """Parts, phases and columns, which reports have in English."""
    from memplanner.report import parts, past_runs
    from memplanner.report.explained import cost

    for table in (parts.TITLES, parts.SHORT_TITLES, parts.PHASES, cost.PARTS):
        yield from table.values()
    yield from past_runs.TITLES


def _summary_words() -> Iterator[str]:
    """The parts of the summaries that sections make of their values, two of them changed each."""
    from memplanner.plan import Plan

    for _, section in Plan().sections():
        kind = type(section)
        values = {name: _some(kind, name) for name in kind.model_fields}
        for pair in combinations(values, min(2, len(values))):
            for chosen in product(*(values[name] for name in pair)):
                changed = section.model_copy(update=dict(zip(pair, chosen, strict=True)))
                try:
                    summary = changed.summary
                except (KeyError, ValueError, TypeError):  # values that no plan has together
                    continue
                yield from _patterns(summary)


_NAME = "NAME"


def _some(kind: Any, name: str) -> list[Any]:
    """Values of a field that make its section say different things."""
    from memplanner.plan import Plan
    from memplanner_ui.plan_panel.form import sections_of

    section = next(
        one for one in sections_of(Plan) if any(type(v) is kind for k, v in Plan().sections()
                                                if k == one.name)
    )  # fmt: skip
    option = next(one for one in section.options if one.name == name)
    default = kind.model_fields[name].get_default(call_default_factory=True)
    match option.kind:
        case "choice":
            return [choice.value for choice in option.choices]
        case "flag":
            return [True, False]
        case "whole":
            return [default, 7]
        case "number":
            return [default, 0.7]
        case "names":
            return [(), (_NAME,), (_NAME,) * 7]
    return [default, _NAME]


def _patterns(summary: str) -> Iterator[str]:
    from memplanner_ui.language import pattern_of

    for part in summary.split(", "):
        if _NAME not in part:
            yield pattern_of(part)


def _alternative_words() -> Iterator[str]:
    """What techniques call their alternatives, as a search names the plans that it finds."""
    for path in (ROOT / "memplanner" / "techniques").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Setting":
                words = node.args[2] if len(node.args) > 2 else None
                if isinstance(words, ast.Constant):
                    yield from _patterns(str(words.value))
                elif isinstance(words, ast.JoinedStr):
                    text = "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "7"
                        for part in words.values
                    )
                    yield from _patterns(text)


def _class_words(package: str, name: str) -> Iterator[str]:
    """The literal that classes of a part of the engine give to ``name``."""
    for path in (ROOT / "memplanner" / package).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant):
                        target = line.targets[0]
                        if isinstance(target, ast.Name) and target.id == name and line.value.value:
                            yield str(line.value.value)


if __name__ == "__main__":
    sys.exit(main())
