"""Has each trainer read our files in an environment of its own: ``make test-exports``.

An environment holds the trainer and what it pins; everything else is the project's own. Versions,
date and result go into docs/exports.md. Too heavy for every test run: it downloads, and some of
it takes minutes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from memplanner.export.registry import find_target
from memplanner.export.target import Subject
from memplanner.export.trainer import TrainerTarget
from memplanner.hardware import find_device
from memplanner.model import load
from tests.export.trainer_plans import CASES, planned

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = ROOT / "docs" / "exports.md"
TABLE = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)
NAMES = ("trl", "axolotl", "llama_factory", "torchtitan")


@dataclass(frozen=True, slots=True)
class Result:
    """What a trainer said to its files."""

    version: str
    troubles: dict[str, str]
    """By plan; empty where it was read as it was meant."""


def environment(name: str, folder: Path) -> Path:
    """The interpreter of the trainer's environment, made where it is not there yet."""
    place = folder / name
    python = place / "bin" / "python"
    if not (place / ".made").exists():
        venv.create(place, with_pip=False, clear=True)
        own = sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)})
        (Path(own) / "zz_project.pth").write_text(sysconfig.get_path("purelib") + "\n")
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet",
             "--no-deps", "--requirement", str(HERE / f"{name}.txt")],
            check=True,
        )  # fmt: skip
        (place / ".made").touch()
    return python


def write_all(folder: Path) -> None:
    """Every trainer's file for every plan that it carries whole."""
    model, card = load("preset:llama-3.1-8b"), find_device("H100 80GB")
    for name, way in CASES:
        target = find_target(name)
        if not isinstance(target, TrainerTarget):
            raise TypeError(name)
        subject = Subject(model, planned(name, way), card)
        place = folder / way.replace(", ", "-").replace(" ", "-")
        place.mkdir(parents=True, exist_ok=True)
        (place / target.file_name).write_text(target.text(subject, ()))
        for file in target.beside(subject):
            (place / file.name).write_text(file.text)


def result(name: str, python: Path, files: Path) -> Result:
    """Runs the trainer's reader; its last line is the answer."""
    done = subprocess.run(
        [str(python), str(HERE / f"check_{name}.py"), str(files)],
        capture_output=True, text=True, check=False, cwd=files,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise SystemExit(f"{name} could not be asked:\n{done.stderr[-2000:]}")
    answer = json.loads(lines[-1])
    return Result(answer["version"], answer["files"])


def table(results: dict[str, Result]) -> str:
    """The rows of docs/exports.md."""
    lines = ["| trainer | version | files read as meant | date |", "|---|---|---|---|"]
    for name, one in results.items():
        good = sum(not trouble for trouble in one.troubles.values())
        lines.append(
            f"| {find_target(name).title} | {one.version} | {good} of {len(one.troubles)} | "
            f"{date.today().isoformat()} |"
        )
    for name, one in results.items():
        for way, trouble in one.troubles.items():
            if trouble:
                text = " ".join(trouble.split())[:200]
                lines.append(f"\n{find_target(name).title}, {way}: {text}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Asks every trainer and writes the page; exit code 1 where one reads otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--folder", type=Path, default=ROOT / ".exports")
    arguments = parser.parse_args()
    files = arguments.folder / "files"
    write_all(files)
    results = {}
    for name in arguments.names:
        results[name] = result(name, environment(name, arguments.folder), files)
        for way, trouble in results[name].troubles.items():
            print(f"{name}, {way}: {trouble or 'read as meant'}")
    if tuple(arguments.names) == NAMES:
        PAGE.write_text(TABLE.sub(rf"\g<1>{table(results)}\g<2>", PAGE.read_text()))
    if any(any(one.troubles.values()) for one in results.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
