"""Programs that are opened as models run only after the user has agreed, once for each content.

A recipe and an importable's module are code. What was agreed to is kept by the SHA-256 of its
content and its path, one line each, in a file that its owner alone can read and write. A file
that changed is asked for again; so is the same content in another folder, since what it imports
from beside it is another's.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path

from memplanner.errors import SourceError, TrustNeeded
from memplanner.model.reading import reason
from memplanner.writing import write_whole

TRUSTED_FOLDERS = "MEMPLANNER_TRUSTED_FOLDERS"
"""The variable that names folders whose programs are run without a question, for jobs in which
nobody could answer; separated as in PATH."""
LARGEST_KEPT_BYTES = 4 * 2**20
"""Of the file of agreements; some 30 000 of them."""

_now: set[str] = set()
"""What was agreed to in this process, which counts where nothing can be kept."""


def agreements_path() -> Path:
    """Where agreements are kept: in the user's data folder."""
    import platformdirs

    return platformdirs.user_data_path("memplanner", appauthor=False) / "trusted-programs"


def ask(source: str, path: Path, digest: str, *, agreed: bool) -> None:
    """Returns where the program ``path``, of that SHA-256, may be run, and keeps a new agreement.

    ``agreed`` is the user's word for this time. Raises ``TrustNeeded`` where it is needed and
    missing.
    """
    line = f"{digest}  {str(path)!a}"
    if line in _now or _in_trusted_folder(path):
        return
    kept = _kept()
    if line in kept:
        return
    if agreed:
        _now.add(line)
        with suppress(OSError):  # it is asked for again then
            _keep(line)
        return
    again = ""
    if any(one.endswith(line[len(digest) :]) for one in kept):
        again = ", and has changed since you agreed to it"
    raise TrustNeeded(
        f"{source} is opened by running the Python program {path} with your rights on this "
        f"machine{again}; read it, and agree to run it if you trust it."
    )


def digest_of(files: Iterable[Path]) -> str:
    """The SHA-256 of one file's content, or that over those of several. Raises ``SourceError``."""
    digests = []
    for path in files:
        try:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256"))
        except OSError as error:
            raise SourceError(
                f"{path} cannot be read ({reason(error)}); check the path."
            ) from error
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(one.digest() for one in digests)).hexdigest()


def files_of(module: str) -> list[Path] | None:
    """The files that importing ``module`` runs by its name: its packages', then its own.

    Found without importing anything, so a package that moves its parts shows its own file alone.
    Empty for what is built into the interpreter; None where there is no such module or package.
    """
    found: list[Path] = []
    search: list[str] | None = None
    name = ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        origin: str | None
        if name in sys.modules:
            here = sys.modules[name]
            origin, places = getattr(here, "__file__", None), getattr(here, "__path__", None)
        else:
            specification = _specification(name, search)
            if specification is None:
                return found or None
            origin = specification.origin if specification.has_location else None
            places = specification.submodule_search_locations
        if origin is not None:
            found.append(Path(origin))
        if places is None:
            break
        search = list(places)
    return found


def _specification(name: str, search: list[str] | None) -> ModuleSpec | None:
    """As ``importlib.util.find_spec``, which would import the packages above ``name``."""
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        found: ModuleSpec | None = None if find is None else find(name, search)
        if found is not None:
            return found
    return None


def _in_trusted_folder(path: Path) -> bool:
    folders = [one for one in os.environ.get(TRUSTED_FOLDERS, "").split(os.pathsep) if one]
    if not folders:
        return False
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def _kept() -> frozenset[str]:
    """The lines that are kept; none where others could have written them."""
    try:
        with agreements_path().open("rb") as file:
            if not _owned(os.fstat(file.fileno())):
                return frozenset()
            text = file.read(LARGEST_KEPT_BYTES).decode("ascii", "replace")
    except OSError:
        return frozenset()
    return frozenset(text.splitlines())


def _keep(line: str) -> None:
    path = agreements_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        ours = _owned(path.stat())
    except FileNotFoundError:
        ours = False
    if not ours:
        write_whole(path, line + "\n", private=True)
        return
    with path.open("a", encoding="ascii", newline="") as file:  # one write: two windows may add
        file.write(line + "\n")


def _owned(status: os.stat_result) -> bool:
    """A regular file of ours that nobody else can write."""
    if not stat.S_ISREG(status.st_mode):
        return False
    if os.name != "posix":
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o077
