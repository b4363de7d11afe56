"""Damaged files by the thousand for one reader: each must be read, or end in one sentence.

    python -m benchmarks.fuzz --reader gguf --cases 1000000 [--seed 7] [--minutes 60]

A case is a valid small file with a few changes (bytes flipped, cut, repeated, moved, and numbers
put in that readers get wrong), or bytes alone. What is neither read nor refused, or takes more
than two seconds, is a finding: its bytes are kept in the folder ``--keep``, and the exit status
is 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time

from memplanner.errors import MemplannerError
from tests.hostile.corpus import cases
from tests.hostile.readers import ENDINGS, READERS
from tests.hostile.seeds import seed

SECONDS = 2.0
LARGEST_SEED = 4096
NUMBERS = [
    value.to_bytes(width, order)  # type: ignore[arg-type]  # the two words
    for width in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
    for order in ("little", "big")
]
WORDS = [
    b"null", b"NaN", b"1e999", b"-1", b'"', b"{", b"}", b"[", b"]", b"\\ud800", b"\0", b"\n",
    b"../", b"&a ", b"*a", b"!!x ", b"9" * 400, b"0x" + b"f" * 500, b"\xff", b"\x80", b": ", b"- ",
]  # fmt: skip


def seeds(reader: str) -> list[bytes]:
    """The valid file, and the corpus' small malformed ones of that reader."""
    found = [seed(reader)] * 8
    for case in cases(reader):
        if case.file == ENDINGS[reader] and isinstance(case.data, bytes):
            found += [case.data] if len(case.data) <= LARGEST_SEED else []
    return found


def mutated(start: bytes, generator: random.Random) -> bytes:
    """``start`` with one to eight changes."""
    data = bytearray(start)
    for _ in range(generator.randint(1, 8)):
        place = generator.randint(0, len(data))
        length = min(generator.randint(1, 16), len(data) - place)
        kind = generator.randrange(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << generator.randrange(8)
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length] * generator.randint(1, 3)
        elif kind == 3:
            number = generator.choice(NUMBERS)
            data[place : place + len(number)] = number
        elif kind == 4:
            data[place:place] = generator.choice(WORDS)
        elif kind == 5:
            data[place : place + length] = generator.randbytes(length)
        elif generator.random() < 0.2:
            del data[place:]
    return bytes(data)


def inputs(known: Sequence[bytes], start: int) -> Iterator[bytes]:
    """Files without end, the same for the same ``start``."""
    generator = random.Random(start)  # noqa: S311  (no secret)
    while True:
        if generator.random() < 0.05:
            yield generator.randbytes(generator.randint(0, 200))
        else:
            yield mutated(generator.choice(known), generator)


def warm_up(reader: str, path: Path) -> None:
    """Reads the valid file: libraries are imported when they are first used."""
    path.write_bytes(seed(reader))
    READERS[reader](path)


def finding(reader: str, path: Path, data: bytes) -> str | None:
    """What is wrong with how ``data`` is read, or None."""
    path.write_bytes(data)
    start = process_time()
    try:
        READERS[reader](path)
    except MemplannerError as error:
        if not str(error).isprintable():
            return "a sentence of several lines"
    except Exception as error:  # noqa: BLE001  (whatever comes out is what is looked for)
        return f"{type(error).__name__}: {str(error)[:200]}"
    seconds = process_time() - start
    return f"{seconds:.1f} s" if seconds > SECONDS else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", choices=list(READERS), required=True)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=24 * 60)
    parser.add_argument("--keep", type=Path, default=None)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["HF_HUB_OFFLINE"] = "1"
    known = seeds(chosen.reader)
    start, done, found = 0.0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ENDINGS[chosen.reader]
        warm_up(chosen.reader, path)
        start = perf_counter()
        for data in inputs(known, chosen.seed):
            wrong = finding(chosen.reader, path, data)
            done += 1
            if wrong is not None:
                found += 1
                print(f"case {done}: {wrong}", flush=True)
                if chosen.keep is not None:
                    chosen.keep.mkdir(parents=True, exist_ok=True)
                    (chosen.keep / f"{chosen.reader}-{done}").write_bytes(data)
            if done >= chosen.cases or perf_counter() - start > 60 * chosen.minutes:
                break
    seconds = perf_counter() - start
    print(f"{chosen.reader}: {done} cases in {seconds:.0f} s, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
