"""The release that a package holds: what is said of it, and its wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def project() -> dict[str, Any]:
    """The project's own description."""
    described: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return described["project"]


def requirement_of(name: str) -> str:
    """The versions of a package that the project takes, as ``>=3.1``."""
    found = {one.name: one for one in map(Requirement, project()["dependencies"])}
    return str(found[name].specifier)


def epoch() -> int:
    """Seconds since 1970 that stand for every date in a package, so that it builds the same again.

    ``SOURCE_DATE_EPOCH``, or the day of the release.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    information = ElementTree.parse(ROOT / "packaging" / "memplanner.metainfo.xml")  # noqa: S314  (the project's own)
    release = information.find("releases/release")
    if release is None:
        raise ValueError("memplanner.metainfo.xml names no release")
    return int(datetime.fromisoformat(release.attrib["date"]).replace(tzinfo=UTC).timestamp())


def build_wheel(output: Path) -> Path:
    """Builds the source distribution and, of it, the wheel, in ``output``; the wheel's path.

    With the setuptools of this environment, and without what former builds have left behind.
    """
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", output, ROOT],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (wheel,) = output.glob(f"memplanner-{project()['version']}-*.whl")
    return wheel
