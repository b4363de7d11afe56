"""The memory of a whole test run: the most that all its processes held at once.

    python -m benchmarks.suite_memory [--every 1] [COMMAND …]

Runs the suite as ``make test`` does, or the command, and adds up every second the proportional set
size (PSS: of a page that n processes share, each counts 1/n) of it and of all that it started,
also of what its parent left behind. Prints the highest sum, when that was, and what each of the
largest processes was then; the exit status is the command's. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psutil

from memplanner.units import format_bytes

SUITE = (sys.executable, "-m", "pytest", "--numprocesses", "auto", "--dist", "worksteal")
SHOWN = 8
RUNNING = "MEMPLANNER_SUITE_RUNNING"
"""The variable that names the folder in which each worker says what it runs."""
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


@dataclass(frozen=True)
class Held:
    """What one process held."""

    size_bytes: int
    what: str


def pytest_runtest_logstart(nodeid: str) -> None:
    """Pytest's hook, in each worker: writes down the test that begins."""
    folder = os.environ.get(RUNNING)
    if folder is not None and "PYTEST_XDIST_WORKER" in os.environ:
        Path(folder, str(os.getpid())).write_text(nodeid)


def held_by(process: psutil.Process, running: Path) -> Held | None:
    """What ``process`` holds; None where it has ended, or is the system's alone."""
    with suppress(OSError, psutil.Error):
        table = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        size = next(line.split()[1] for line in table.splitlines() if line.startswith("Pss:"))
        test = running / str(process.pid)
        what = test.read_text() if test.exists() else " ".join(process.cmdline())[:100]
        return Held(1024 * int(size), what)
    return None


def highest(command: list[str], every_seconds: float) -> tuple[list[Held], float, float, int]:
    """The processes at the highest moment, its second, all seconds, and the exit status."""
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    me, most, at = psutil.Process(), list[Held](), 0.0
    with tempfile.TemporaryDirectory() as running:
        environment = {**os.environ, RUNNING: running, "PYTEST_PLUGINS": "benchmarks.suite_memory"}
        start = monotonic()
        suite = subprocess.Popen(command, env=environment)
        with suppress(KeyboardInterrupt):  # which ends the suite too, and what was seen is told
            while suite.poll() is None:
                bury_orphans(me, suite.pid)
                tree = [held_by(one, Path(running)) for one in me.children(recursive=True)]
                now = [held for held in tree if held is not None]
                if total(now) > total(most):
                    most, at = now, monotonic() - start
                sleep(every_seconds)
        return most, at, monotonic() - start, suite.wait()


def bury_orphans(me: psutil.Process, suite: int) -> None:
    """Ends what is left of dead processes without a parent, as the system's first one does."""
    for child in me.children():
        with suppress(ChildProcessError, psutil.Error):
            if child.pid != suite and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def total(processes: list[Held]) -> int:
    return sum(one.size_bytes for one in processes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=float, default=1.0, help="seconds")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    most, at, seconds, status = highest(chosen.command or list(SUITE), chosen.every)
    print(
        f"at most {format_bytes(total(most))} in {len(most)} processes, {at:.0f} s after the start "
        f"of {seconds:.0f} s:"
    )
    for one in sorted(most, key=lambda held: -held.size_bytes)[:SHOWN]:
        print(f"  {format_bytes(one.size_bytes):>8}  {one.what}")
    return status


if __name__ == "__main__":
    sys.exit(main())
