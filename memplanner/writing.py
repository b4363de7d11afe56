"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path


def write_whole(path: Path, text: str, *, private: bool = False) -> None:
    """Writes ``text`` as UTF-8 to ``path``: to a new name beside it, flushed, then renamed.

    A reader sees the old file or the new one. What a symbolic link points to is replaced and the
    link stays; a file keeps its mode, unless it is ``private``, and then none but its owner can
    read it; a device or pipe is written to directly. Raises ``OSError`` and leaves nothing behind.
    """
    _refuse_strangers_link(path)
    path = Path(os.path.realpath(path))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        path.write_text(text, encoding="utf-8", newline="")  # raises for a folder
        return
    new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}")
    try:
        opener = _open_private if private else None
        with open(new, "x", encoding="utf-8", newline="", opener=opener) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None and not private:
            new.chmod(stat.S_IMODE(mode))
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _refuse_strangers_link(path: Path) -> None:
    """Raises ``PermissionError`` for a link that another user left in a folder such as /tmp.

    The rule is that of Linux' ``protected_symlinks``, which asking for the real path would evade.
    """
    if os.name != "posix" or not path.is_symlink():
        return
    folder, link = path.parent.stat(), path.lstat()
    all_write = stat.S_ISVTX | stat.S_IWOTH
    if folder.st_mode & all_write == all_write and link.st_uid not in (
        os.geteuid(), folder.st_uid,
    ):  # fmt: skip
        raise PermissionError(errno.EACCES, "a link that another user left in a folder of all")


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def why(error: OSError) -> str:
    """The reason of ``error`` in the system's words, as part of a sentence."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


def _flush_folder(folder: Path) -> None:
    """Makes the rename last where the system lets a folder be flushed."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # writable but not readable: the file itself is safe
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
