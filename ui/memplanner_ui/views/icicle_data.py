"""What an icicle is drawn from: a layer table as a tree of tiles, with the device around it.

Tiles are numbered level by level, and within a level from left to right. So what is below a tile,
and what is too narrow to be drawn, is a stretch of neighbours in each level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from memplanner.messages.estimate import Estimate
from memplanner_ui.views import layer_table
from memplanner_ui.views.layer_query import Booleans, Query
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.parts import NAMED, PARTS, budget, title_of

Integers = npt.NDArray[np.int64]
Kind = Literal["device", "free"] | layer_table.Kind

COLUMNS = (*PARTS, "free")
"""Of a tile's bytes."""
ALL = "all"
"""Every column together."""
TOP = 0
"""The tile of the device."""
MODEL = 1
"""The tile of the model: the first of those below the device."""
NONE = -1


@dataclass(frozen=True, slots=True)
class Frame:
    """What the device around a model is called, and what it has left."""

    title: str
    memory_bytes: int | None = None
    free_bytes: int = 0
    missing_bytes: int = 0

    @classmethod
    def of(cls, estimate: Estimate) -> Frame:
        """The device at the peak of ``estimate``."""
        whole = budget(estimate)
        capacity = whole.capacity_bytes
        missing = 0 if capacity is None else max(0, whole.peak_bytes - capacity)
        return cls(whole.device, capacity, whole.free_bytes, missing)


class Icicle:
    """The tiles of an unfiltered table.

    With ``fold``, alike blocks are one tile, and so are their parts: each stands for as many.
    """

    def __init__(self, table: LayerTable, frame: Frame, *, fold: bool) -> None:
        self.table, self.frame = table, frame
        self._fold = fold
        count = len(table.parent)
        self._parents: Integers = table.parent.copy()
        self._kept = np.ones(count, bool)
        self._sizes = _by_columns(table)
        self._move_what_is_around()
        self._join_or_open_groups()
        self._place: Integers = np.full(count + 1, NONE, np.int64)
        self._place[NONE] = TOP
        below: Integers = np.ones(count + 1, np.int64)  # what the children of a node stand for
        scale: Integers = np.ones(count, np.int64)
        self.levels: list[tuple[int, int]] = [(TOP, TOP + 1)]
        """Of each level: its first tile, and the one after its last."""
        nodes = [np.array([NONE])]
        self.free = NONE
        for level in self._by_levels():
            start = self.levels[-1][1]
            scale[level] = below[level] = below[self._parents[level]]
            if fold:
                for group in level[self._is_group[level]].tolist():
                    below[group] *= table.blocks(group)
            nodes.append(level)
            stop = start + len(level)
            if self.free == NONE:
                self.free = stop
                nodes.append(np.array([NONE]))
                stop += 1
            self.levels.append((start, stop))
        self.nodes: Integers = np.concatenate(nodes)
        """The table's node of each tile; none for the device and for what is free."""
        self.parent: Integers = self._place[self._parents[self.nodes]]
        self.count: Integers = below[self.nodes]
        """How many alike ones a tile stands for."""
        self.bytes: Integers = self._sizes[self.nodes] * scale[self.nodes, None]
        """By ``COLUMNS``."""
        for tile in (TOP, self.free):
            self.parent[tile], self.count[tile], self.bytes[tile] = TOP, 1, 0
        self.parent[TOP] = NONE
        self.bytes[self.free, -1] = frame.free_bytes
        self.bytes[TOP] = self.bytes[self.parent == TOP].sum(axis=0)
        self._spans: dict[str, tuple[Integers, Integers]] = {}

    # Building

    def _move_what_is_around(self) -> None:
        """What is in no module stands beside the model, below the device."""
        table, root = self.table, self.table.root
        for node in np.flatnonzero(table.parent == root).tolist():
            if table.kinds[node] == "around":
                self._kept[node] = False
                self._parents[table.parent == node] = NONE
                self._sizes[root] -= self._sizes[node]

    def _join_or_open_groups(self) -> None:
        table = self.table
        self._is_group = np.array([kind == "group" for kind in table.kinds])
        for group in np.flatnonzero(self._is_group).tolist():
            blocks = table.children(group)
            if self._fold:
                self._kept[blocks] = False
                self._parents[table.parent == blocks[0]] = group
            else:
                self._kept[group] = False
                self._parents[blocks] = table.parent[group]

    def _by_levels(self) -> list[Integers]:
        """The table's nodes level by level, as they stand; numbers them as tiles."""
        table, place = self.table, self._place
        rank = np.empty(len(table.parent), np.int64)
        rank[table.in_order] = np.arange(len(rank))
        waiting, number = np.flatnonzero(self._kept), TOP + 1
        levels: list[Integers] = []
        while True:
            above = place[self._parents[waiting]]
            level = waiting[above >= 0]
            if not level.size:
                return levels
            level = level[np.lexsort((rank[level], above[above >= 0]))]
            waiting = waiting[above < 0]
            place[level] = number + np.arange(len(level))
            number += len(level) + (1 if not levels else 0)  # what is free ends the first
            levels.append(level)

    # Asking

    def __len__(self) -> int:
        return len(self.nodes)

    def spans(self, column: str) -> tuple[Integers, Integers]:
        """Where each tile starts and how much it holds, in bytes of ``column`` or of all."""
        known = self._spans.get(column)
        if known is None:
            known = self._spans[column] = self._measure(column)
        return known

    def _measure(self, column: str) -> tuple[Integers, Integers]:
        one = None if column == ALL else COLUMNS.index(column)
        size: Integers = self.bytes.sum(axis=1) if one is None else self.bytes[:, one]
        start = np.zeros(len(size), np.int64)
        for first, stop in self.levels[1:]:
            parent, sizes = self.parent[first:stop], size[first:stop]
            before = np.cumsum(sizes) - sizes
            eldest = np.r_[True, parent[1:] != parent[:-1]]
            family = np.cumsum(eldest) - 1
            start[first:stop] = start[parent] + before - before[eldest][family]
        return start, size

    def _node(self, tile: int) -> int:
        return int(self.nodes[tile])

    def kind(self, tile: int) -> Kind:
        """What a tile is."""
        if tile == TOP:
            return "device"
        return "free" if tile == self.free else self.table.kinds[self._node(tile)]

    def title(self, tile: int) -> str:
        """What stands on a tile."""
        if tile == TOP:
            return self.frame.title
        return title_of("free") if tile == self.free else self.table.titles[self._node(tile)]

    def type(self, tile: int) -> str:
        """The module's type, or what a tile that is no module says of itself."""
        kind = self.kind(tile)
        if kind == "group":
            return self.table.types[int(self.table.children(self._node(tile))[0])]
        return "" if kind in ("device", "free") else self.table.types[self._node(tile)]

    def module(self, tile: int) -> str | None:
        """The dotted name of the module a tile belongs to; None where it belongs to none."""
        if self.kind(tile) in ("device", "free", "around"):
            return None
        return self.table.names[self._node(tile)]

    def key(self, tile: int) -> tuple[str, str]:
        """What finds the same tile in another estimate of the same model."""
        return self.module(tile) or "", self.title(tile)

    def tile_of(self, name: str) -> int:
        """The tile that shows the module ``name``, be it as one of many; ``NONE`` without one."""
        node = self.table.node(name)
        if node is None:
            return NONE
        place = int(self._place[node])
        group = self.table.group_of(name) if place == NONE else None
        if group is None:
            return place
        while self.table.parent[node] != group:
            node = int(self.table.parent[node])
        rest = name[len(self.table.names[node]) :]
        like = self.table.node(self.table.names[group] + rest) if rest else group
        return NONE if like is None else int(self._place[like])

    def find(self, key: tuple[str, str]) -> int:
        """The tile with ``key``; ``NONE`` without one."""
        node = self.table.find(*key)
        if node is not None:
            return int(self._place[node])
        return next((tile for tile in (TOP, self.free) if self.key(tile) == key), NONE)

    def above(self, tile: int) -> list[int]:
        """The tiles that ``tile`` lies below, the device first."""
        result: list[int] = []
        while tile != TOP:
            tile = int(self.parent[tile])
            result.insert(0, tile)
        return result

    def matches(self, query: Query) -> Booleans:
        """Which tiles ``query`` finds; one that stands for alike blocks, where it finds those."""
        found = np.append(self.table.matches(query), False)  # of no node
        if self._fold:
            for group in np.flatnonzero(self._is_group).tolist():
                found[group] |= found[self.table.children(group)[0]]
        result: Booleans = found[self.nodes]
        return result


def _by_columns(table: LayerTable) -> Integers:
    """Bytes by ``COLUMNS`` of each node and what is below it; nothing is free in any."""
    named = len(NAMED)
    overhead = table.total[:, named:-1].sum(axis=1, keepdims=True)
    nothing = np.zeros_like(overhead)
    return np.hstack([table.total[:, :named], overhead, table.total[:, -1:], nothing])
