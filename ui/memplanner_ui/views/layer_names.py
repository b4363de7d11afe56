"""The tree that dotted names make. Every estimate of a model has the same one, so it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter

from memplanner.garbage import without_collection

_HEAD, _TITLE = itemgetter(0), itemgetter(2)


@dataclass(frozen=True, slots=True)
class Names:
    """Rows by their dotted names; a node is a row's place. The root's name is empty."""

    names: list[str]
    titles: list[str]
    """The last part of each name."""
    parents: list[int]
    """The node above each; -1 above the root."""
    nodes: dict[str, int]


def names_of(names: list[str], known: Names | None = None) -> Names:
    """The tree of ``names``, one of which is empty; ``known`` itself where it is the same.

    A name whose parent has no row hangs below the nearest one that has.
    """
    if known is not None and names == known.names:
        return known
    nodes = dict(zip(names, range(len(names)), strict=True))
    root = nodes[""]
    with without_collection():  # which tuples by the thousand would set off
        parts = [name.rpartition(".") for name in names]
        heads = list(map(_HEAD, parts))
        titles = list(map(_TITLE, parts))
        del parts
    parents = list(map(nodes.get, heads, repeat(-1)))
    parents[root] = -1
    for node in [node for node, parent in enumerate(parents) if parent < 0 and node != root]:
        head = heads[node]
        while head not in nodes:
            head = head.rpartition(".")[0]
        parents[node] = nodes[head]
    return Names(names, titles, parents, nodes)


class RowsByTitle:
    """Rows from ``first`` on, several of which may have one name: found by their titles, too."""

    def __init__(self, names: list[str], titles: list[str], first: int) -> None:
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


def split_around(run: list[str], single_out: str) -> list[list[str]]:
    """``run`` in parts, so that the block around ``single_out`` stands alone."""
    for place, block in enumerate(run):
        if single_out == block or single_out.startswith(block + "."):
            return [run[:place], [block], run[place + 1 :]]
    return [run]
