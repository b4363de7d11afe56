"""Damaged files by the thousand for a reader: each must be read, or end in one sentence.

    python -m benchmarks.fuzz --reader gguf --cases 1000000 [--seed 7] [--minutes 60]
        [--processes 4] [--keep FOLDER]

Several readers, or ``all``, are tried one after the other, each for so long.

A case is a small file with a few changes (bytes flipped, cut, repeated, moved, numbers put in that
readers get wrong, words exchanged), a container around what was changed, or bytes alone. What is
neither read nor refused, or takes more than two seconds, is a finding: its bytes are kept in the
folder ``--keep``, and the exit status is 1. On Linux the process may grow by 1 GiB while it tries
cases. What crashes it, or hangs for ten minutes, is left in the folder that is then told.

Each process has a seed of its own, counted from ``--seed``. The last line says how many cases were
tried, how many of them were read as whole files, and how many were findings.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import multiprocessing
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

from benchmarks.fuzz_inputs import inputs
from benchmarks.fuzz_kept import configurations_kept
from memplanner.errors import MemplannerError
from tests.hostile.case import is_one_line
from tests.hostile.readers import ENDINGS, FOLDERS, READERS
from tests.hostile.seeds import seed

SECONDS = 2.0
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  (a folder with a name of its own is made there)
TOLD_EVERY_SECONDS = 60.0
STUCK_SECONDS = 600.0


class Trial:
    """One reader, and the file that it is given again and again.

    The file stays open here, and the time is told by a clock that asks nothing of the system,
    which would take longer than most readers do.
    """

    def __init__(self, reader: str, folder: Path) -> None:
        self._path = folder / ENDINGS[reader]
        self._read = READERS[reader]
        self._lines: Callable[[bytes], None] | None = None
        if reader == "protocol":  # its lines come through a pipe, and are in no file
            from tests.hostile.protocol_lines import read

            self._lines = read
        self.was_read = False
        """Whether the last case was taken for a whole file, rather than refused."""
        self._open = ExitStack()
        self._file = self._open.enter_context(self._path.open("wb", buffering=0))
        if reader in FOLDERS:
            self._open.enter_context(configurations_kept())
        self.wrong(seed(reader))  # libraries are imported when they are first used

    def close(self) -> None:
        """Closes the file, and forgets what was kept."""
        self._open.close()

    def wrong(self, data: bytes) -> str | None:
        """What is wrong with how ``data`` is read, or None."""
        start = perf_counter()
        found = self._outcome(data)
        if found is None and perf_counter() - start > SECONDS:
            busy = process_time()  # others may have had the processor
            self._outcome(data)
            seconds = process_time() - busy
            return f"{seconds:.1f} s" if seconds > SECONDS else None
        return found

    def _outcome(self, data: bytes) -> str | None:
        self.was_read = False
        try:
            if self._lines is not None:
                self._lines(data)
            else:
                self._file.seek(0)
                self._file.write(data)
                self._file.truncate(len(data))
                self._read(self._path)
        except MemplannerError as error:
            return None if is_one_line(str(error)) else "a sentence that is not one line of text"
        except Exception as error:  # noqa: BLE001  (whatever comes out is what is looked for)
            return f"{type(error).__name__}: {str(error)[:200]}"
        self.was_read = True
        return None


@dataclass(frozen=True)
class Share:
    """What one process does."""

    reader: str
    cases: int
    seed: int
    minutes: float
    keep: Path | None


class Done(NamedTuple):
    """What became of a share."""

    cases: int
    read: int
    """Cases that were taken for whole files."""
    findings: int
    seconds: float


def run(share: Share) -> Done:
    """Tries a share's cases; each finding is told, and kept where it should be."""
    done, read, found = 0, 0, 0
    with (
        tempfile.TemporaryDirectory(dir=_folder(), prefix=f"fuzz-{share.reader}-") as made,
        closing(Trial(share.reader, Path(made))) as trial,
    ):
        gc.collect()
        gc.freeze()  # visiting libraries for garbage takes a tenth of the time
        if sys.platform == "linux":
            from tests.hostile.examine import limit

            limit()
        start = told = perf_counter()
        faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
        for data in inputs(share.reader, share.seed):
            wrong = trial.wrong(data)
            done += 1
            read += trial.was_read
            if wrong is not None:
                found += 1
                print(f"seed {share.seed}, case {done}: {wrong}", flush=True)
                if share.keep is not None:
                    share.keep.mkdir(parents=True, exist_ok=True)
                    (share.keep / f"{share.reader}-{share.seed}-{done}").write_bytes(data)
            now = perf_counter()
            if done >= share.cases or now - start > 60 * share.minutes:
                break
            if now - told > TOLD_EVERY_SECONDS:
                told = now
                faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
                print(f"{share.reader}: {done} cases in {now - start:.0f} s", flush=True)
    faulthandler.cancel_dump_traceback_later()
    return Done(done, read, found, perf_counter() - start)


def _folder() -> str:
    return str(_IN_MEMORY) if _IN_MEMORY.is_dir() else tempfile.gettempdir()


def quiet() -> None:
    """Readers say nothing beside their sentences, and ask no hub; a crash tells where it was."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"  # threads for tensors of a few bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", choices=[*READERS, "all"], nargs="+", required=True)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=24 * 60)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=None)
    chosen = parser.parse_args()
    quiet()
    readers = list(READERS) if "all" in chosen.reader else chosen.reader
    findings = sum([fuzzed(reader, chosen) for reader in readers])
    return 1 if findings else 0


def fuzzed(reader: str, chosen: argparse.Namespace) -> int:
    """How many findings there are in one reader; what was done is printed."""
    several = max(1, chosen.processes)
    shares = [
        Share(
            reader,
            chosen.cases // several + (place < chosen.cases % several),
            chosen.seed + place,
            chosen.minutes,
            chosen.keep,
        )
        for place in range(several)
    ]
    spawn = multiprocessing.get_context("spawn")  # a reader's libraries and limit are its own
    try:
        with ProcessPoolExecutor(several, spawn, initializer=quiet) as pool:
            ended = list(pool.map(run, shares))
    except BrokenProcessPool:
        print(f"{reader}: crashed, or hung; see {_folder()}/fuzz-{reader}-*", flush=True)
        return 1
    cases, read, findings, seconds = zip(*ended, strict=True)
    print(
        f"{reader}: {sum(cases)} cases in {max(seconds):.0f} s, of which {sum(read)} were read, "
        f"{sum(findings)} findings",
        flush=True,
    )
    return sum(findings)


if __name__ == "__main__":
    sys.exit(main())
