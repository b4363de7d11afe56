"""What reading a memory snapshot takes: of files made to take much, and of like real ones.

    python -m benchmarks.snapshot_memory [--mib 100]

Each file is read in a process of its own; told is how much its peak grows by, the file's own pages
that are in memory among it. Linux alone counts that in KiB, as is taken here.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import random
import resource
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time

from rich.console import Console
from rich.table import Table

from memplanner.errors import MemplannerError
from memplanner.snapshot.reader import read_snapshot
from memplanner.units import format_bytes

MADE = {
    "memoized dictionaries": (b"\x80\x04", b"}\x94"),
    "dictionaries of one key in a list": (b"\x80\x04]", b"}K\x01K\x01sa"),
    "texts of one wide character": (b"\x80\x04", b"\x8c\x04\xf0\x9f\x98\x80"),
    "numbers": (b"\x80\x04", b"\x8a\x07\xff\xff\xff\xff\xff\xff\x7f"),
    "tuples": (b"\x80\x04", b"N\x85"),
}
"""How such a pickle begins, and what it says again and again."""
REAL_EVENTS = (600_000, 1_000_000)
_SPAWN = multiprocessing.get_context("spawn")


def write_made(path: Path, head: bytes, unit: bytes, size_bytes: int) -> None:
    """A pickle of about ``size_bytes``."""
    block = unit * 4096
    with path.open("wb") as file:
        file.write(head)
        for _ in range(size_bytes // len(block)):
            file.write(block)
        file.write(b".")


def write_real(path: Path, count: int) -> None:
    """A history as ``torch.cuda.memory._dump_snapshot`` writes it: stacks shared, sizes not."""
    chance = random.Random(3)  # noqa: S311  (for sizes, the same each time)
    frames = [{"name": f"f{i}", "filename": f"/site/m{i % 90}.py", "line": i} for i in range(4000)]
    stacks = [[chance.choice(frames) for _ in range(40)] for _ in range(5000)]
    events = [
        {
            "action": "free_completed" if i % 2 else "alloc",
            "addr": 2**46 + (i // 2) * 2**20,
            "size": chance.randrange(512, 2**28),
            "stream": 0,
            "time_us": 10**15 + i,
            "frames": stacks[chance.randrange(5000)],
        }
        for i in range(count)
    ]
    with path.open("wb") as file:
        pickle.dump({"segments": [], "device_traces": [events]}, file, 4)


def _read(path: Path, told: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, outcome = process_time(), "read"
    try:
        read_snapshot(path)
    except MemplannerError:
        outcome = "refused"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told.send(((peak - before) * 1024, process_time() - started, outcome))


def measured(path: Path) -> tuple[int, float, str]:
    """Bytes by which the peak grows, seconds of the processor, and how it ends."""
    here, there = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(target=_read, args=(path, there))
    process.start()
    there.close()
    found: tuple[int, float, str] = here.recv()
    process.join()
    return found


def main() -> None:
    """Prints a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mib", type=int, default=100, help="of the files that are made")
    size_bytes = parser.parse_args().mib * 2**20
    table = Table("Snapshot", "File", "Peak grows by", "Processor", "Outcome", box=None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.pickle"
        names = [*MADE, *(f"{count:,} events like real ones" for count in REAL_EVENTS)]
        for place, name in enumerate(names):
            if name in MADE:
                write_made(path, *MADE[name], size_bytes)
            else:
                # apart, since a child's peak begins with what its parent holds
                writer = _SPAWN.Process(
                    target=write_real, args=(path, REAL_EVENTS[place - len(MADE)])
                )
                writer.start()
                writer.join()
            grown_bytes, seconds, outcome = measured(path)
            file_bytes = path.stat().st_size
            table.add_row(
                name, format_bytes(file_bytes), format_bytes(grown_bytes), f"{seconds:.1f} s",
                outcome,
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
