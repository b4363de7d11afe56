"""What is installed: every package and data file, the pinned requirements, the desktop's files."""

from __future__ import annotations

import configparser
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import memplanner

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
FOLDERS: dict[str, str] = SETUPTOOLS["package-dir"]
PACKAGING = ROOT / "packaging"
PICTURES = ROOT / "docs" / "images"
"""Of the README; no page of the help shows them."""
MIME = "{http://www.freedesktop.org/standards/shared-mime-info}"


def xml(name: str) -> ElementTree.ElementTree[ElementTree.Element]:
    """One of the project's own files for the desktop."""
    return ElementTree.parse(PACKAGING / name)  # noqa: S314  (the project's own, not a stranger's)


def folders_with_code() -> dict[str, Path]:
    """Each folder that holds Python files, by the name it is imported by."""
    found = {}
    for package, folder in FOLDERS.items():
        for file in (ROOT / folder).rglob("*.py"):
            inner = file.parent.relative_to(ROOT / folder)
            found[".".join((package, *inner.parts))] = file.parent
    return found


def test_every_folder_with_code_is_a_package_that_is_installed() -> None:
    assert set(SETUPTOOLS["packages"]) == set(folders_with_code())
    assert all((folder / "__init__.py").is_file() for folder in folders_with_code().values())


@pytest.mark.parametrize("package", FOLDERS)
def test_every_data_file_is_installed(package: str) -> None:
    folder = ROOT / FOLDERS[package]
    patterns = [pattern.replace("**/", "*") for pattern in SETUPTOOLS["package-data"][package]]
    files = [
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".py"
        if PICTURES not in file.parents and file.suffix != ".ts"  # .qm files are made of it
    ]
    assert files
    forgotten = [file for file in files if not any(fnmatch(file, one) for one in patterns)]
    assert not forgotten


def pins() -> dict[str, str]:
    """The versions in ``constraints.txt`` by normalized name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            pin = re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line)
            assert pin, f"{line} is no exact version of a released package"
            found[pin[1]] = pin[2]
    return found


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["development"], *extras["packages"]]
    versions = pins()
    for requirement in map(Requirement, listed):
        pinned = versions.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(pinned), f"{requirement} does not allow {pinned}"


def test_the_version_is_said_in_one_way_everywhere() -> None:
    version = PYPROJECT["project"]["version"]
    release = xml("memplanner.metainfo.xml").find("releases/release")
    assert memplanner.__version__ == version
    assert release is not None
    assert release.get("version") == version
    assert f"## {version} " in (ROOT / "CHANGELOG.md").read_text()


def test_the_desktop_starts_the_installed_command() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment, method-assign]  # keys are case-sensitive
    entry.read(PACKAGING / "memplanner.desktop")
    main = entry["Desktop Entry"]
    command, *arguments = main["Exec"].split()
    assert command in PYPROJECT["project"]["scripts"]
    assert arguments == ["gui", "%f"]
    assert main["Icon"] == "memplanner"


def test_the_desktop_opens_only_types_that_are_described() -> None:
    entry = (PACKAGING / "memplanner.desktop").read_text()
    listed = re.findall(r"^MimeType=(.*);$", entry, re.MULTILINE)[0].split(";")
    described = xml("memplanner-mime.xml").findall(f"{MIME}mime-type")
    assert set(listed) == {one.get("type") for one in described}
    information = xml("memplanner.metainfo.xml")
    assert {one.text for one in information.findall("provides/mediatype")} <= set(listed)
    assert information.findtext("launchable") == "memplanner.desktop"
