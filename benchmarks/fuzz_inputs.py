"""Damaged files without end: what ``benchmarks/fuzz.py`` and its tests give to readers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.hostile.corpus import cases
from tests.hostile.readers import ENDINGS
from tests.hostile.seeds import seed

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
    chance = generator.random  # what is asked for whole numbers takes as long as some readers
    data = bytearray(start)
    for _ in range(1 + int(chance() * 8)):
        place = int(chance() * (len(data) + 1))
        length = min(1 + int(chance() * 16), len(data) - place)
        kind = int(chance() * 7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << int(chance() * 8)
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length] * (1 + int(chance() * 3))
        elif kind == 3:
            number = NUMBERS[int(chance() * len(NUMBERS))]
            data[place : place + len(number)] = number
        elif kind == 4:
            data[place:place] = WORDS[int(chance() * len(WORDS))]
        elif kind == 5:
            data[place : place + length] = generator.randbytes(length)
        elif chance() < 0.2:
            del data[place:]
    return bytes(data)


def inputs(known: Sequence[bytes], start: int) -> Iterator[bytes]:
    """Files without end, the same for the same ``start``."""
    generator = random.Random(start)  # noqa: S311  (no secret)
    chance = generator.random
    while True:
        if chance() < 0.05:
            yield generator.randbytes(int(chance() * 201))
        else:
            yield mutated(known[int(chance() * len(known))], generator)
