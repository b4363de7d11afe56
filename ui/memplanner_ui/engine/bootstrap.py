"""Runs the window's own engine in a Python that has none: sent to it, and run there.

It asks on standard output for the engine unless a former start has left it there, unpacks it in
the user's cache, and goes on as ``memplanner.server``. Only what comes with Python is used, and of
standard input not a byte more is read than belongs to the engine.
"""

from __future__ import annotations

import io
import os
import runpy
import shutil
import sys
import tempfile
import time
import zipfile

WANTED = "memplanner: the engine is wanted"
THERE = "memplanner: the engine is there"
OLDEST = (3, 11)
KEPT_SECONDS = 30 * 24 * 3600


def folder_of(digest: str) -> str:
    """Where an engine with this digest is unpacked."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "memplanner", f"engine-{digest}")


def read_exactly(count: int) -> bytes:
    """``count`` bytes of standard input, unbuffered; ends the process where they do not come."""
    parts = []
    while count:
        part = os.read(0, min(count, 1 << 20))
        if not part:
            raise SystemExit("the engine did not arrive whole")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_number() -> int:
    """A line with a number."""
    digits = b""
    while not digits.endswith(b"\n"):
        digits += read_exactly(1)
    return int(digits)


def unpack(data: bytes, folder: str) -> None:
    """Unpacks beside ``folder`` and renames: another start never sees half an engine."""
    above = os.path.dirname(folder)
    os.makedirs(above, mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=above) as scratch:
        whole = os.path.join(scratch, "engine")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(whole)
        try:
            os.rename(whole, folder)
        except OSError:
            if not os.path.isdir(folder):  # else another start has been quicker
                raise


def forget_old(above: str) -> None:
    """Removes engines that no start has used for a while."""
    before = time.time() - KEPT_SECONDS
    for name in os.listdir(above):
        path = os.path.join(above, name)
        if name.startswith("engine-") and os.path.getmtime(path) < before:
            shutil.rmtree(path, ignore_errors=True)


def main(digest: str) -> None:
    """Brings the engine here where it is not yet, and runs it."""
    if sys.version_info < OLDEST:
        raise SystemExit("Python is too old for the engine")
    folder = folder_of(digest)
    there = os.path.isdir(folder)
    os.write(1, f"\n{THERE if there else WANTED}\n".encode())
    if not there:
        unpack(read_exactly(read_number()), folder)
    os.utime(folder)
    forget_old(os.path.dirname(folder))
    sys.path.insert(0, folder)
    runpy.run_module("memplanner.server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
