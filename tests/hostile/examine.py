"""Reads every hostile file of one reader, in a process that may take little memory.

    python -m tests.hostile.examine READER FOLDER

Writes a line of JSON for each: the sentence, or the error that nobody caught; and the seconds.
"""

from __future__ import annotations

import json
import resource
import sys
import traceback
from pathlib import Path
from time import process_time

from memplanner.errors import MemplannerError
from tests.hostile.corpus import cases
from tests.hostile.readers import READERS
from tests.hostile.seeds import seed

EXTRA_BYTES = 2**30
"""Of address space beyond what the process has when its libraries are loaded."""


def main(reader: str, folder: Path) -> None:
    """Reads the files of ``reader``, which are written to ``folder``."""
    import os

    os.chdir(folder)
    read = READERS[reader]
    warm = folder / ("config.json" if reader == "config" else f"warm{_ending(reader)}")
    warm.write_bytes(seed(reader))
    read(warm)  # libraries are imported when they are first used
    limit()
    slowed = sys.gettrace() is not None  # coverage is measured, line by line
    for place, case in enumerate(cases(reader)):
        path = case.write(folder / str(place))
        start, told, traced = process_time(), "", ""
        try:
            read(path)
        except MemplannerError as error:
            told = str(error)
        except BaseException:  # noqa: BLE001  (whatever comes out is what is looked for)
            traced = traceback.format_exc()
        seconds = process_time() - start
        size_bytes = path.stat().st_size
        path.unlink()
        line = {
            "name": case.name,
            "size_bytes": size_bytes,
            "told": told,
            "traced": traced,
            "seconds": seconds,
            "slowed": slowed,
        }
        print(json.dumps(line), flush=True)
    print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


def _ending(reader: str) -> str:
    from tests.hostile.readers import ENDINGS

    return Path(ENDINGS[reader]).suffix


def limit() -> None:
    """Lets the process have ``EXTRA_BYTES`` more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + EXTRA_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
