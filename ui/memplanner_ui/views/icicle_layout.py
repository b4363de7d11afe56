"""Where the tiles of an icicle lie: rows below each other, in each the children beside each other.

Tiles too narrow to be seen are gathered with their neighbours into one, so that what is drawn is
bounded by the width in pixels, whatever the number of modules.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from memplanner_ui.views.icicle_data import MODEL, TOP, Icicle, Integers

NARROWEST = 3.0
"""Pixels of a tile of its own."""


class Tile(NamedTuple):
    """A rectangle: its row, its sides in pixels, and the tiles ``first`` to ``stop`` in it."""

    row: int
    left: float
    right: float
    first: int
    stop: int
    above: int
    """The tile that it lies below."""

    @property
    def many(self) -> int:
        """How many tiles are gathered in it; 1 for a tile of its own."""
        return self.stop - self.first

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left


def arrange(
    icicle: Icicle, column: str, zoom: int, width: float, rows: int, scale: float = 1.0
) -> list[Tile]:
    """The tiles below ``zoom`` and those it lies in, in at most ``rows`` rows, from left to right.

    ``width`` is in pixels of which each has ``scale`` of the device's.
    """
    start, size = icicle.spans(column)
    width = math.floor(width * scale) / scale
    above = icicle.above(zoom)
    if _is_bare(icicle, column):
        above = above[1:]
    above = above[max(0, len(above) - max(0, rows - 2)) :]  # room for the zoomed one and a row
    tiles = [
        Tile(row, 0.0, width, tile, tile + 1, int(icicle.parent[tile]))
        for row, tile in enumerate([*above, zoom])
    ]
    if not size[zoom] or width <= 0:
        return tiles
    place = width / float(size[zoom])
    level = next(n for n, (first, stop) in enumerate(icicle.levels) if first <= zoom < stop)
    drawn = np.zeros(len(icicle), bool)
    drawn[zoom] = True
    row = len(tiles)
    for first, stop in icicle.levels[level + 1 : level + 1 + rows - row]:
        here = np.flatnonzero(drawn[icicle.parent[first:stop]] & (size[first:stop] > 0)) + first
        if not here.size:
            break
        left = np.round((start[here] - start[zoom]) * place * scale) / scale
        ends = start[here] + size[here] - start[zoom]
        right = np.round(ends * place * scale) / scale
        tiles += _in_row(row, here, icicle.parent[here], left, right)
        drawn[here[right - left >= NARROWEST]] = True
        row += 1
    return tiles


def _is_bare(icicle: Icicle, column: str) -> bool:
    """Whether the device would be drawn around the model alone."""
    _, size = icicle.spans(column)
    first, stop = icicle.levels[1]
    return int(np.count_nonzero(size[first:stop])) <= 1


def home(icicle: Icicle, column: str) -> int:
    """The tile that is the widest: the device, or the model where nothing stands beside it."""
    return MODEL if _is_bare(icicle, column) else TOP


def _in_row(
    row: int,
    here: Integers,
    parents: Integers,
    left: np.ndarray,
    right: np.ndarray,
) -> list[Tile]:
    """Tiles of one row: wide ones alone, neighbours of one family that are narrow together."""
    narrow = right - left < NARROWEST
    begins = np.r_[True, ~narrow[1:] | ~narrow[:-1] | (parents[1:] != parents[:-1])]
    firsts = np.flatnonzero(begins)
    lasts = np.r_[firsts[1:], len(here)] - 1
    return [
        Tile(row, x, y, first, last + 1, parent)
        for x, y, first, last, parent in zip(
            left[firsts].tolist(),
            right[lasts].tolist(),
            here[firsts].tolist(),
            here[lasts].tolist(),
            parents[firsts].tolist(),
            strict=True,
        )
        if y > x
    ]
