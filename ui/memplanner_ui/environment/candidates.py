"""Pythons and machines that a user may want the engine on, found without running anything."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from memplanner_ui.engine import HERE, Place
from memplanner_ui.engine.own_python import PYTHON, is_alone, own_python
from memplanner_ui.language import translatable, translate

OWN, ACTIVE, NEAR = (
    translatable("Environment", "This program’s own"),
    translatable("Environment", "Active environment"),
    translatable("Environment", "Near what is open"),
)
USED, MACHINES, INSTALLED = (
    translatable("Environment", "Used before"),
    translatable("Environment", "Other machines"),
    translatable("Environment", "In this machine"),
)
GROUPS = (OWN, ACTIVE, NEAR, USED, MACHINES, INSTALLED)
ENVIRONMENTS = (".venv", "venv", "env", ".env")
"""How the folder of a virtual environment is usually called."""
LEVELS = 4
"""Folders above an opened file that are looked through."""
MOST_HOSTS = 12


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place, the group it is listed in, and what it is called there."""

    place: Place
    group: str
    title: str
    detail: str


def candidates(
    near: Path | None, used: Iterable[Place], now: Place, environ: Mapping[str, str], home: Path
) -> list[Candidate]:
    """Every place once, in the order of the groups.

    ``near`` is the file or folder that is open, ``used`` are places of former starts, ``now`` is
    where the engine runs.
    """
    if is_alone():
        found = [
            Candidate(HERE, INSTALLED, translate("Environment", "The Python at hand"), own_python())
        ]
    else:
        found = [
            Candidate(HERE, OWN, translate("Environment", "memplanner’s Python"), own_python())
        ]
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if active := environ.get(variable):
            found += _in_folder(Path(active), ACTIVE)
    for folder in _near(near, Path(environ.get("PWD", "."))):
        found += _in_folder(folder, NEAR)
    for place in (now, *used):
        if place.remote:
            python = (
                translate("Environment", "{python} there").format(python=place.python)
                if place.python
                else translate("Environment", "python3 there")
            )
            found.append(Candidate(place, MACHINES, place.machine, python))
        elif place.python:
            found.append(Candidate(place, USED, _name(Path(place.python)), place.python))
    for folder in _installed(home):
        found += _in_folder(folder, INSTALLED)
    known = {one.place.host for one in found}
    for host in ssh_hosts(home / ".ssh" / "config"):
        if host not in known:
            found.append(
                Candidate(
                    Place(host=host),
                    MACHINES,
                    host,
                    translate("Environment", "from ssh’s configuration"),
                )
            )
    own = os.path.normpath(own_python())
    once: dict[tuple[object, ...], Candidate] = {}
    for one in found:
        path = os.path.normpath(one.place.python) if one.place.python else ""
        if one.place.remote or path != own:
            once.setdefault((one.place.host, path, one.place.options), one)
    return sorted(once.values(), key=lambda one: GROUPS.index(one.group))


def ssh_hosts(config: Path) -> list[str]:
    """The names that ssh's configuration gives to hosts; patterns are none."""
    try:
        text = config.read_text("utf-8", "replace")
    except OSError:
        return []
    found: dict[str, None] = {}
    for line in text.splitlines():
        word, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if word.lower() == "host":
            found |= dict.fromkeys(name for name in rest.split() if not set(name) & set('*?!"'))
    return list(found)[:MOST_HOSTS]


def _in_folder(folder: Path, group: str) -> Iterator[Candidate]:
    python = folder / PYTHON
    if os.access(python, os.X_OK):
        yield Candidate(Place(python=str(python)), group, _name(python), str(python))


def _name(python: Path) -> str:
    """What an environment is called: by its folder, and the project's where that says little."""
    folder = python.parent.parent if python.parent.name in ("bin", "Scripts") else python.parent
    if folder.name in ENVIRONMENTS and folder.parent.name:
        return f"{folder.parent.name}/{folder.name}"
    if folder.parent.name == "versions" and folder.parent.parent.name == ".pyenv":
        return f"pyenv {folder.name}"
    return folder.name or str(python)


def _near(opened: Path | None, current: Path) -> Iterator[Path]:
    """Environments beside an opened file, above it, and in the current folder."""
    folders = [current]
    if opened is not None:
        first = opened if opened.is_dir() else opened.parent
        folders = [first, *list(first.parents)[: LEVELS - 1], current]
    for folder in folders:
        for name in ENVIRONMENTS:
            if (folder / name / "pyvenv.cfg").is_file():
                yield folder / name


def _installed(home: Path) -> Iterator[Path]:
    """What pyenv and conda have installed for this user."""
    for pattern in (".pyenv/versions/*", "*conda3/envs/*", "*forge*/envs/*", ".virtualenvs/*"):
        yield from sorted(home.glob(pattern))
    try:
        listed = (home / ".conda" / "environments.txt").read_text("utf-8", "replace")
    except OSError:
        return
    yield from (Path(line.strip()) for line in listed.splitlines() if line.strip())
