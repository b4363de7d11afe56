"""Renderings put on disk: each file whole or not at all, and all of them or none."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from memplanner.errors import ExportError
from memplanner.messages.protocol import ExportedFile
from memplanner.writing import why, write_whole

_FIXES = {
    errno.ENOSPC: "make room or choose another place",
    errno.EDQUOT: "make room or choose another place",
    errno.EACCES: "choose a place you may write to",
    errno.EPERM: "choose a place you may write to",
    errno.EROFS: "choose a place you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "name a file in a folder",
}


def write_files(files: Sequence[ExportedFile], output: str | Path) -> tuple[str, ...]:
    """The paths written.

    A folder (one that exists, or a name that ends in a slash) gets the files under their own
    names; otherwise ``output`` is the first file's path and the rest lie beside it. Raises
    ``ExportError`` and takes back what it had made.
    """
    paths = _paths(files, output)
    made: list[Path] = []
    for file, path in zip(files, paths, strict=True):
        is_new = not path.exists()
        try:
            write_whole(path, file.text)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            for other in made:
                other.unlink(missing_ok=True)
            raise ExportError(_sentence(path, error)) from error
        if is_new:
            made.append(path)
    return tuple(map(str, paths))


def _paths(files: Sequence[ExportedFile], output: str | Path) -> list[Path]:
    place = Path(output).expanduser()
    try:
        is_folder = place.is_dir() or str(output).endswith(("/", "\\"))
    except (OSError, ValueError) as error:
        raise ExportError(_sentence(place, error)) from error
    folder = place if is_folder else place.parent
    paths = [folder / file.name for file in files]
    if not is_folder:
        paths[0] = place
    return paths


def _sentence(path: Path, error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return f"{path!r} is no valid path ({error}); choose another name."
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        return f"{path} cannot be written: {path.parent} does not exist; make that folder first."
    fix = _FIXES.get(error.errno or 0, "choose another place")
    return f"{path} cannot be written: {why(error)}; {fix}."
