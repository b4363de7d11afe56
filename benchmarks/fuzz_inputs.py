"""Damaged files without end: what ``benchmarks/fuzz.py`` and its tests give to readers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

from benchmarks.fuzz_forms import Inside, forms, insides
from tests.hostile.corpus import cases
from tests.hostile.readers import ENDINGS

LARGEST_SEED = 4096
NUMBERS = [
    value.to_bytes(width, order)
    for width in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
    for order in ("little", "big")
]
WORDS = [
    b"null", b"NaN", b"1e999", b"-1", b'"', b"{", b"}", b"[", b"]", b"\\ud800", b"\0", b"\n",
    b"../", b"&a ", b"*a", b"!!x ", b"%YAML 1.3\n---\n", b"%YAML 1.1\n---\n", b"? ", b"<<: ", b"| ",
    b"9" * 400, b"0x" + b"f" * 500, b"\xff", b"\x80", b": ", b"- ",
]  # fmt: skip
TEXTS = ("config", "plan", "trainer", "protocol")
"""Readers of text whose words and numbers mean something."""
VALUES = [
    b"0", b"1", b"-1", b"2", b"3", b"8", b"64", b"0.5", b"-0.0", b"1e999", b"4294967296",
    b"9" * 20, b"null", b"true", b"false", b"NaN", b".nan", b".inf", b"auto", b"none", b"x", b"",
    b"-_", b"0x_", b"1:99", b"2001-12-14t21:59:43-99:99", b'""', b'"x"', b'"0"', b'"\\u0000"',
    b"[]", b"{}", b"[1, 2]", b'{"a": 1}', b"[[1]]",
]  # fmt: skip
_WORD = re.compile(rb'("[^"\n]*"|[\w.+-]+)')


@cache
def seeds(reader: str) -> tuple[bytes, ...]:
    """The valid files, and the corpus' small malformed ones of that reader."""
    valid = forms(reader)
    found = list(valid) * max(1, 8 // len(valid))
    for case in cases(reader):
        if case.file == ENDINGS[reader] and isinstance(case.data, bytes):
            found += [case.data] if len(case.data) <= LARGEST_SEED else []
    return tuple(found)


def mutated(start: bytes, generator: random.Random) -> bytes:
    """``start`` with one to eight changes, few more often: after many, readers look no further."""
    chance = generator.random  # what is asked for whole numbers takes as long as some readers
    data = bytearray(start)
    for _ in range(1 + int(8 * chance() ** 3)):
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


def exchanged(parts: list[bytes], generator: random.Random) -> bytes:
    """A text with one to four words exchanged for others; every second of ``parts`` is a word."""
    chance = generator.random
    changed = list(parts)
    words = len(parts) // 2
    for _ in range(1 + int(4 * chance() ** 3)):
        place = 1 + 2 * int(chance() * words)
        own = chance() < 0.3
        changed[place] = (
            parts[1 + 2 * int(chance() * words)] if own else VALUES[int(chance() * len(VALUES))]
        )
    return b"".join(changed)


def inputs(reader: str, start: int) -> Iterator[bytes]:
    """Files without end, the same for the same ``start``.

    Some are bytes alone; the others are known files of which anything is damaged, words are
    exchanged, or what they hold is damaged before they are closed.
    """
    generator = random.Random(start)  # noqa: S311  (no secret)
    chance = generator.random
    known, inner = seeds(reader), _inner(reader)
    while True:
        kind = chance()
        if kind < 0.05:
            yield generator.randbytes(int(chance() * 201))
        elif inner and kind < 0.5:
            inside, parts = inner[int(chance() * len(inner))]
            if len(parts) > 1 and chance() < 0.75:
                yield inside.close(exchanged(parts, generator))
            else:
                yield inside.close(mutated(inside.data, generator))
        else:
            yield mutated(known[int(chance() * len(known))], generator)


@cache
def _inner(reader: str) -> list[tuple[Inside, list[bytes]]]:
    """What is damaged by itself, and where it is text, that in parts."""
    found = list(insides(reader))
    if reader in TEXTS:
        found += [Inside(data, _as_it_is, is_text=True) for data in forms(reader)]
    return [(one, _WORD.split(one.data) if one.is_text else []) for one in found]


def _as_it_is(data: bytes) -> bytes:
    return data
