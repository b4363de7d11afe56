"""Damaged files for one reader, led by which lines of memplanner each reaches.

    python -m pip install atheris
    python -m benchmarks.fuzz_atheris --reader gguf --minutes 5 [--seed 7] [--keep FOLDER]

It begins with the inputs of ``benchmarks/fuzz.py``, and keeps what reaches something new. The
first finding ends it: its bytes are kept in the folder ``--keep``, and the exit status is 77.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import sys
import tempfile
from pathlib import Path

from tests.hostile.readers import READERS

LONGEST_BYTES = 8192
MOST_MEGABYTES = 4096


class Finding(Exception):  # noqa: N818  (it says what it is)
    """What is neither read nor refused in one sentence."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", required=True)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("findings"))
    chosen = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not here; install it by: python -m pip install atheris")
        return 2
    if chosen.reader not in READERS:
        parser.error(f"--reader is one of {', '.join(READERS)}")
    chosen.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:  # the fuzzer ends its process, and leaves all there
        process = multiprocessing.get_context("spawn").Process(
            target=fuzz, args=(chosen, Path(made))
        )
        process.start()
        process.join()
    return process.exitcode or 0


def fuzz(chosen: argparse.Namespace, folder: Path) -> None:
    """Gives the reader damaged files until the time is up, or one is a finding; never returns."""
    import atheris  # type: ignore[import-not-found,unused-ignore]  # not everywhere

    # of what is imported in here the lines are told apart; readers import on their first file
    with atheris.instrument_imports(include=["memplanner"]):
        from benchmarks.fuzz import Trial, quiet
        from benchmarks.fuzz_inputs import seeds

        quiet()
        trial = Trial(chosen.reader, folder)
    known = folder / "known"
    known.mkdir()
    for place, data in enumerate(seeds(chosen.reader)):
        (known / str(place)).write_bytes(data)

    def one(data: bytes) -> None:
        wrong = trial.wrong(data)
        if wrong is not None:
            raise Finding(wrong)

    options = {
        "max_total_time": round(60 * chosen.minutes),
        "seed": chosen.seed,
        "max_len": LONGEST_BYTES,
        "rss_limit_mb": MOST_MEGABYTES,
        "artifact_prefix": f"{chosen.keep}/{chosen.reader}-",
    }
    words = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *words, str(known)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
