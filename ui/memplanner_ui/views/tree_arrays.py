"""Trees as arrays of parents: depths, sums and orders of a hundred thousand rows at once.

``parent`` has the row above each row; the root's is -1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


class Places(NamedTuple):
    """Where the visible rows stand."""

    order: Integers
    """Those below one row beside each other."""
    starts: Integers
    """For each row, the root's own place first: where those below it begin in ``order``."""
    rows: Integers
    """Of each row its place below the one above it; -1 where it is not visible."""


def levels_of(parent: Integers, root: int) -> list[Integers]:
    """Rows by depth, the root's first."""
    depth = np.full(len(parent), -1, np.int64)
    depth[root] = 0
    known, level = np.array([root]), 0
    waiting = np.flatnonzero(depth < 0)
    levels = [known]
    while waiting.size:
        level += 1
        known = waiting[depth[parent[waiting]] == level - 1]
        depth[known] = level
        waiting = waiting[depth[waiting] < 0]
        levels.append(known)
    return levels


def added_up(own: Integers, parent: Integers, levels: list[Integers]) -> Integers:
    """``own`` (rows, columns) with all that is below each row added to it."""
    columns = own.T.copy()  # one contiguous column each: numpy adds those fastest
    for column in columns:
        if column.any():
            for level in reversed(levels[1:]):
                np.add.at(column, parent[level], column[level])
    return columns.T


def with_those_above(found: Booleans, parent: Integers, levels: list[Integers]) -> Booleans:
    """``found``, and every row that has one of them below it."""
    visible = found.copy()
    for level in reversed(levels[1:]):
        visible[parent[level][visible[level]]] = True
    return visible


def places(order: Integers, parent: Integers, visible: Booleans) -> Places:
    """Of rows in ``order``, sorted by their parents first."""
    order = order[visible[order]]
    counts = np.bincount(parent[order] + 1, minlength=len(parent) + 1)
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    rows = np.full(len(parent), -1, np.int64)
    rows[order] = np.arange(len(order)) - starts[parent[order] + 1]
    return Places(order, starts, rows)


def ranks_of(titles: Iterable[str]) -> Integers:
    """The place of each title in the order of all: numbers as numbers, letters in either case."""
    keys = [title.zfill(9) if title.isdigit() else title.lower() for title in titles]
    ranks = np.empty(len(keys), np.int64)
    ranks[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    return ranks
