"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, text: str, *, private: bool = False) -> None:
    """Writes ``text`` as UTF-8 to ``path``: to a new name beside it, flushed, then renamed.

    A reader sees the old file or the new one. What a symbolic link points to is replaced and the
    link stays; a file keeps its mode, unless it is ``private``, and then none but its owner can
    read it; a device or pipe is written to directly. The folder is the one that was there at
    first: where another has taken its name meanwhile, nothing is written there. Raises ``OSError``
    and leaves nothing behind.
    """
    _refuse_strangers_link(path)
    path = Path(os.path.realpath(path))
    with _held(path.parent) as folder:
        name = path.name if folder is not None else str(path)
        try:
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and not stat.S_ISREG(mode):  # raises for a folder, and for a link
            with open(name, "w", encoding="utf-8", newline="", opener=_opener(folder)) as file:
                file.write(text)
            return
        beside = f".{path.name[:200]}.{secrets.token_hex(6)}"
        new = beside if folder is not None else str(path.with_name(beside))
        try:
            opener = _opener(folder, 0o600 if private else 0o666)
            with open(new, "x", encoding="utf-8", newline="", opener=opener) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None and not private:
                os.chmod(new, stat.S_IMODE(mode), dir_fd=folder)
            _refuse_other_folder(path.parent, folder)
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:  # cleared away, and raised again
            with suppress(FileNotFoundError):
                os.unlink(new, dir_fd=folder)
            raise
        _flush_folder(folder)


@contextmanager
def _held(folder: Path) -> Iterator[int | None]:
    """The folder, however it is called later; None where the system has no word for that."""
    descriptor = _opened(folder)
    if descriptor is None:
        yield None
        return
    try:
        _refuse_other_folder(folder, descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(folder: Path) -> int | None:
    if os.name != "posix" or os.open not in os.supports_dir_fd:
        return None
    flags = os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(folder, os.O_RDONLY | flags)
    except PermissionError:  # writable but not readable
        if sys.platform != "linux":
            raise
        return os.open(folder, os.O_PATH | flags)


def _refuse_other_folder(folder: Path, descriptor: int | None) -> None:
    """Raises ``OSError`` where the name ``folder`` leads elsewhere than to what is open."""
    if descriptor is None:
        return
    real = os.path.realpath(folder) == str(folder)
    if not real or not os.path.samestat(os.stat(folder), os.fstat(descriptor)):
        raise OSError(errno.EAGAIN, "another folder took its folder's name while it was saved")


def _opener(folder: int | None, mode: int = 0o666) -> Callable[[str, int], int]:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), mode, dir_fd=folder)

    return opener


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


def why(error: OSError) -> str:
    """The reason of ``error`` in the system's words, as part of a sentence."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


def _flush_folder(folder: int | None) -> None:
    """Makes the rename last where the system lets a folder be flushed."""
    if folder is None:
        return
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EBADF:  # of a folder that cannot be read: the file itself is safe
            raise
