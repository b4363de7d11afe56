"""The tree that dotted names make. Every estimate of a model has the same one, so it is kept."""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import cached_property
from itertools import repeat

import numpy as np

from memplanner.garbage import without_collection
from memplanner_ui.views.tree_arrays import Integers

_MOST_SEARCHED = 8


class Names:
    """Rows by their dotted names; a node is a row's place. The root's name is empty."""

    def __init__(self, names: list[str], parents: list[int]) -> None:
        self.names = names
        self.parents = parents
        """The node above each; -1 above the root."""
        self.root = names.index("")
        self._searched = 0

    def node(self, name: str) -> int | None:
        """The row of ``name``; the first few are searched for, which takes less than a dictionary.

        What is asked for first stands at the top.
        """
        if "nodes" in vars(self) or self._searched == _MOST_SEARCHED:
            return self.nodes.get(name)
        self._searched += 1
        try:
            return self.names.index(name)
        except ValueError:
            return None

    @cached_property
    def titles(self) -> list[str]:
        """The last part of each name."""
        return [name[name.rfind(".") + 1 :] for name in self.names]

    @cached_property
    def nodes(self) -> dict[str, int]:
        """The row of each name."""
        return dict(zip(self.names, range(len(self.names)), strict=True))


def names_of(names: list[str], known: Names | None = None) -> Names:
    """The tree of ``names``, one of which is empty; ``known`` itself where it is the same.

    A name whose parent has no row hangs below the nearest one that has.
    """
    if known is not None and names == known.names:
        return known
    with without_collection():  # which strings by the hundred thousand would set off
        cuts = list(map(str.rfind, names, repeat(".")))
        heads = [name[:cut] if cut > 0 else "" for name, cut in zip(names, cuts, strict=True)]
        parents = _parents_in_order(names, heads)
        found = Names(names, parents or [])
        if parents is None:
            found.parents = _parents_looked_up(found, heads)
    return found


def _parents_in_order(names: list[str], heads: list[str]) -> list[int] | None:
    """The node above each where rows stand as a walk of the tree meets them; None if they do not.

    There a row is below the last one before it that has one part less.
    """
    if names[0]:
        return None
    count = len(names)
    depth: Integers = np.fromiter(map(str.count, names, repeat(".")), np.int64, count)
    depth[0] = -1
    parents = np.full(count, -1, np.int64)
    for level in range(int(depth.max(initial=-1)) + 1):
        here = depth == level
        above = np.maximum.accumulate(np.where(depth == level - 1, np.arange(count), 0))
        parents[here] = above[here]
    found: list[int] = parents.tolist()
    return found if list(map(names.__getitem__, found[1:])) == heads[1:] else None


def _parents_looked_up(rows: Names, heads: list[str]) -> list[int]:
    """The node above each, wherever it stands."""
    nodes = rows.nodes
    root = nodes[""]
    parents = list(map(nodes.get, heads, repeat(-1)))
    parents[root] = -1
    for node in [node for node, parent in enumerate(parents) if parent < 0 and node != root]:
        head = heads[node]
        while head not in nodes:
            head = head.rpartition(".")[0]
        parents[node] = nodes[head]
    return parents


class Titles:
    """What rows are called: a name's last part, unless it is said otherwise.

    Of a hundred thousand a few are seen, so all are made only for who goes through them.
    """

    def __init__(self, rows: Names) -> None:
        self._rows = rows
        self._count = len(rows.names)
        self._own: dict[int, str] = {}
        self._more: list[str] = []
        """Of rows behind those of names."""

    def __getitem__(self, node: int) -> str:
        if node >= self._count:
            return self._more[node - self._count]
        own = self._own.get(node)
        return self._rows.names[node].rpartition(".")[2] if own is None else own

    def __setitem__(self, node: int, title: str) -> None:
        self._own[node] = title

    def __iter__(self) -> Iterator[str]:
        titles = self._rows.titles.copy()
        for node, title in self._own.items():
            titles[node] = title
        return iter([*titles, *self._more])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Titles)
            and (self._own, self._more) == (other._own, other._more)
            and (self._rows is other._rows or self._rows.names == other._rows.names)
        )

    __hash__ = None  # type: ignore[assignment]  # as lists have none

    def add(self, *titles: str) -> None:
        """Names rows behind all others."""
        self._more += titles


class RowsByTitle:
    """Rows from ``first`` on, several of which may have one name: found by their titles, too."""

    def __init__(self, names: list[str], titles: Titles, first: int) -> None:
        self.first = first
        self._names, self._titles = names, titles
        self._last: dict[str, int] | None = None
        """By name the last of them; looked up once somebody asks."""
        self._before: list[int] = []
        """Of each, the one before it of the same name; -1 for none."""

    def find(self, name: str, title: str) -> int | None:
        """The last row of this name and title."""
        last = self._last or self._look_up()
        node = last.get(name, -1)
        while node >= 0 and self._titles[node] != title:
            node = self._before[node - self.first]
        return node if node >= 0 else None

    def _look_up(self) -> dict[str, int]:
        # Not by pairs: tuples by the thousand would set off garbage collections.
        last: dict[str, int] = {}
        self._before.clear()
        for node in range(self.first, len(self._names)):
            self._before.append(last.get(self._names[node], -1))
            last[self._names[node]] = node
        self._last = last
        return last


def lies_in(name: str, others: Container[str]) -> bool:
    """Whether a module is one of ``others``, or inside of one."""
    while name and name not in others:
        name = name.rpartition(".")[0]
    return bool(name)


def split_around(run: list[str], single_out: str) -> list[list[str]]:
    """``run`` in parts, so that the block around ``single_out`` stands alone."""
    for place, block in enumerate(run):
        if single_out == block or single_out.startswith(block + "."):
            return [run[:place], [block], run[place + 1 :]]
    return [run]
