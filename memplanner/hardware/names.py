"""Finding what a person means by the name of a card.

A name is matched by its words, whatever the case, the spacing and the maker's prefix:
``rtx3060 ti``, ``RTX 3060Ti`` and ``NVIDIA GeForce RTX 3060 Ti`` are the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

_MAKERS = frozenset({"nvidia", "geforce", "tesla", "amd", "instinct", "intel", "apple"})
_WORDLESS = frozenset({"gpu", "graphics", "generation", "edition", "r", "tm"})
_SIDE_WORDS = frozenset({"rtx", "rx", "radeon", "data", "center"})
"""Words that say nothing between cards that share the others."""

_PROFILE = re.compile(r"(\d)g[ ._-](\d+)gb")
_SIZE = re.compile(r"\b(\d+)\s*gi?b\b")
_SERIES = re.compile(r"\b(rtx|gtx|rx|arc|titan|quadro)(?=a?\d)")
_SUFFIX = re.compile(r"(?<=\d)(ti|super|xtx|xt)(?=super|\b)")
_SPLIT = re.compile(r"[^a-z0-9]+")


class Match(NamedTuple):
    """What a query found: nothing, one name, or several that fit equally well."""

    found: tuple[str, ...]
    near: tuple[str, ...] = ()
    """When nothing fits: the names most like it, the likest first."""


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """The words of ``text`` that tell cards apart, in order: ``("rtx", "3060", "ti", "8gb")``."""
    text = _PROFILE.sub(r" \1g\2gb ", text.lower())  # a MIG profile is one word
    text = _SIZE.sub(r" \1gb ", text)
    text = _SERIES.sub(r"\1 ", text)
    text = _SUFFIX.sub(r" \1 ", text)
    return tuple(
        word
        for word in _SPLIT.split(text)
        if word and word not in _MAKERS and word not in _WORDLESS
    )


def match(query: str, spellings: Mapping[str, Sequence[str]]) -> Match:
    """The names that ``query`` means; ``spellings`` gives each name's spellings, itself included.

    One spelled exactly so wins. Otherwise those that have all the query's words, and of these
    the ones with the fewest other words: ``4070 ti`` is no ``RTX 4070 Ti SUPER``.
    """
    asked = words(query)
    if not asked:
        return Match((), ())
    read = {name: [words(one) for one in known] for name, known in spellings.items()}
    exact = tuple(name for name, known in read.items() if _joined(asked) in map(_joined, known))
    if exact:
        return Match(exact)
    others: dict[str, int] = {}
    for name, known in read.items():
        counts = [count for one in known if (count := _other_words(asked, one)) is not None]
        if counts:
            others[name] = min(counts)
    if others:
        fewest = min(others.values())
        return Match(tuple(name for name, count in others.items() if count == fewest))
    return Match((), _nearest(_joined(asked), read))


def _joined(of: Sequence[str]) -> str:
    return "".join(of)


def _other_words(asked: Sequence[str], known: Sequence[str]) -> int | None:
    """How many telling words ``known`` has beside ``asked``'s; None when it lacks one of them."""
    left = list(known)
    for word in asked:
        found = word if word in left else f"{word}gb"  # “A100 80” for 80 GB
        if found not in left:
            return None
        left.remove(found)
    return sum(not _is_size(word) and word not in _SIDE_WORDS for word in left)


def _is_size(word: str) -> bool:
    return word.endswith("gb") and word[:-2].isdigit()


def _nearest(
    asked: str, read: Mapping[str, Sequence[Sequence[str]]], count: int = 3
) -> tuple[str, ...]:
    scores = {
        name: max(SequenceMatcher(None, asked, _joined(one)).ratio() for one in known)
        for name, known in read.items()
    }
    likest = sorted((name for name in scores if scores[name] >= 0.5), key=lambda n: -scores[n])
    return tuple(likest[:count])
