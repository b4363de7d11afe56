"""The layers as arrays: built, grouped, sorted and filtered at once, for a hundred thousand rows.

A node is an index into the table. The first nodes are the estimate's rows; behind them come rows
of our own: a module's *own operations*, a group of alike blocks, and what is in no module. Every
node but those groups carries its own bytes, and totals are sums over what is below, so that the
rows under a row always add up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Literal

import numpy as np

from memplanner.messages.estimate import Layer
from memplanner.units import format_bytes
from memplanner_ui.language import of_plan, translatable, translate
from memplanner_ui.views import layer_names
from memplanner_ui.views.layer_names import Names, RowsByTitle, Titles, names_of, split_around
from memplanner_ui.views.layer_order import natural_keys
from memplanner_ui.views.layer_query import Booleans, Query
from memplanner_ui.views.layer_query_rows import TableRows
from memplanner_ui.views.parts import IN_OVERHEAD, NAMED, Around, lower, shown
from memplanner_ui.views.tree_arrays import (
    Integers,
    Places,
    added_up,
    levels_of,
    places,
    ranks_of,
    with_those_above,
)

Kind = Literal["module", "own", "group", "type", "around"]
Column = Literal["name", "share", "total"] | int

_FIELDS = tuple(f"{name}_bytes" for name in (*NAMED, *IN_OVERHEAD))
_OVERHEAD = len(NAMED)
_WORKSPACES, _INPUTS = (_OVERHEAD + IN_OVERHEAD.index(name) for name in ("workspaces", "inputs"))
_AROUND, _OTHER = len(_FIELDS), len(_FIELDS) + 1
_WIDTH = len(_FIELDS) + 2  # the fields, then overhead around the plan, then other processes
_read = itemgetter(*_FIELDS)
_LISTS = frozenset({"ModuleList", "Sequential"})
_OWN_NAME = translatable("Views", "own operations")
_NOT_IN_A_MODULE = translatable("Views", "not in a module")


class LayerTable:
    """Rows of one estimate at one moment. ``around`` are what lies around the plan.

    ``single_out`` names a module whose block is not to be hidden in a group; ``known`` are the
    ``row_names`` of an earlier table, used again where they are the same; ``root_work`` says what
    the model itself does.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        title: str,
        around: Sequence[Around] = (),
        group: bool = True,
        single_out: str = "",
        known: Names | None = None,
        root_work: str | None = None,
    ) -> None:
        self.names: list[str] = []
        """The module each node belongs to, dotted."""
        self._own = self._read_rows(layers, title, known)
        self._extra: list[Integers] = []
        self._add_around(around)
        self._blocks: dict[int, int] = {}
        if root_work is None:
            root_work = translate("Views", "loss and optimizer step")
        self._add_rows(root_work, group, single_out)
        self._our_rows = RowsByTitle(self.names, self.titles, len(self._own))
        self._own = np.concatenate([self._own, *self._extra])
        self.parent: Integers = np.array(self._parents, np.int64)
        self._levels = levels_of(self.parent, self.root)
        self.total = added_up(self._own, self.parent, self._levels)
        self.visible = np.ones(len(self.parent), bool)
        self._name_ranks: Integers | None = None
        self._query_rows: TableRows | None = None
        self._sort: tuple[Column, bool] | None = None
        self._lists: tuple[list[int], list[int]] | None = None
        self._cells: dict[int, tuple[str, ...]] = {}
        self._shares = self._bar_totals()
        self._placed: Places | None = None

    # Building

    def _read_rows(self, layers: Sequence[Layer], title: str, known: Names | None) -> Integers:
        rows = list(layers)
        values = list(map(attrgetter("__dict__"), rows))  # so many are read soonest from there
        names = list(map(itemgetter("name"), values))
        if "" not in names:
            rows.insert(0, Layer(name="", type=title))
            values.insert(0, rows[0].__dict__)
            names.insert(0, "")
        self._layers = rows
        self.row_names = names_of(names, known)
        self.names = list(self.row_names.names)
        self.types: list[str] = list(map(itemgetter("type"), values))
        self._own_types = self.types.copy()
        self.kinds: list[Kind] = ["module"] * len(rows)
        self.titles = Titles(self.row_names)
        self._parents = list(self.row_names.parents)
        self.titles[self.root] = title
        own = np.zeros((len(rows), _WIDTH), np.int64)
        sizes = chain.from_iterable(map(_read, values))
        count = len(rows) * len(_FIELDS)
        own[:, : len(_FIELDS)] = np.fromiter(sizes, np.int64, count).reshape(len(rows), -1)
        return own

    def _add(
        self, kind: Kind, parent: int, title: str, type_: str, sizes: Sequence[int] = ()
    ) -> int:
        self.names.append(self.names[parent])
        self.titles.add(title)
        self.types.append(type_)
        self.kinds.append(kind)
        self._parents.append(parent)
        own = np.zeros((1, _WIDTH), np.int64)
        own[0, : len(sizes)] = sizes
        self._extra.append(own)
        return len(self.names) - 1

    def _add_around(self, around: Sequence[Around]) -> None:
        """Moves what the root row holds for no module into rows of their own."""
        root = self.root
        own = self._own[root]
        inputs = translate("Views", "inputs"), translate("Views", "batch of the step")
        workspaces = translate("Views", "workspaces"), translate("Views", "of libraries")
        found = [
            (*inputs, _INPUTS, int(own[_INPUTS])),
            (*workspaces, _WORKSPACES, int(own[_WORKSPACES])),
        ]
        for row in around:
            words = lower(of_plan(row.title)), of_plan(row.explanation)
            found.append((*words, _OTHER if row.other else _AROUND, row.size_bytes))
        own[[_INPUTS, _WORKSPACES]] = 0
        if not any(size for *_, size in found):
            return
        top = self._add("around", root, translate("Views", _NOT_IN_A_MODULE), "")
        for title, explanation, column, size in found:
            if size:
                sizes = [0] * _WIDTH
                sizes[column] = size
                self._add("around", top, title, explanation, sizes)

    def _add_rows(self, root_work: str, group: bool, single_out: str) -> None:
        """Adds the rows that make the hierarchy of modules easier to read."""
        self._add_own_operations(root_work)
        if group:
            self._add_groups(self._layers, single_out)

    def _add_own_operations(self, root_work: str) -> None:
        """A row below each module with children for the bytes that none of them holds."""
        count = len(self._own)
        has_children = np.zeros(count, bool)
        parents = np.array(self._parents[:count], np.int64)
        has_children[parents[parents >= 0]] = True
        nodes = np.flatnonzero(has_children & self._own.any(axis=1)).tolist()
        self._add_own(nodes)
        root = self.root
        if root in nodes:
            self.types[nodes.index(root) - len(nodes)] = root_work

    def _add_own(self, nodes: list[int]) -> None:
        """Moves what each of some modules holds itself into a row below it, all rows at once."""
        self.names += [self.names[node] for node in nodes]
        self.titles.add(*[translate("Views", _OWN_NAME)] * len(nodes))
        self.types += [""] * len(nodes)
        self.kinds += ["own"] * len(nodes)
        self._parents += nodes
        self._extra.append(self._own[nodes])
        self._own[nodes] = 0

    def _add_groups(self, layers: Sequence[Layer], single_out: str) -> None:
        """Gathers blocks that stand in a row and are alike below a row of their own."""
        alike = {row.name: row.alike for row in layers if row.alike > 1 and row.name[-1:].isdigit()}
        done: set[str] = set()
        nodes = self.row_names.nodes if alike else {}
        for name, count in alike.items():
            head, _, last = name.rpartition(".")
            if name in done or not last.isdigit() or layer_names.lies_in(head, alike):
                continue
            first = int(last)
            run = [f"{head}.{first + i}" for i in range(count)]
            run = [block for block in run if block in nodes]
            done.update(run)
            above = self._parents[nodes[run[0]]]
            if self.types[above] in _LISTS:
                self.types[above] = translate("Views", "{count} blocks").format(
                    count=self._parents[: len(self._own)].count(above)
                )
            for part in split_around(run, single_out):
                if len(part) > 1:
                    self._gather(part)

    def _gather(self, blocks: list[str]) -> None:
        nodes = [self.row_names.nodes[block] for block in blocks]
        first, last = (block.rpartition(".")[2] for block in (blocks[0], blocks[-1]))
        words = translate("Views", "{count} alike").format(count=len(blocks))
        group = self._add("group", self._parents[nodes[0]], f"{first} … {last}", words)
        self.names[group] = blocks[0]
        self._blocks[group] = len(blocks)
        for node in nodes:
            self._parents[node] = group

    def _bar_totals(self) -> tuple[Integers, Integers]:
        """What each bar shows (one block of a group), and the largest bar beside each."""
        shown = self.total.sum(axis=1)
        for group, count in self._blocks.items():
            shown[group] //= count
        largest = np.zeros(len(shown) + 1, np.int64)
        np.maximum.at(largest, self.parent, shown)
        return shown, largest[self.parent]

    # Asking

    @property
    def root(self) -> int:
        """The node of the model itself."""
        return self.row_names.root

    def node(self, name: str) -> int | None:
        """The node of the module ``name``."""
        return self.row_names.node(name)

    def children(self, node: int) -> Integers:
        """The visible nodes below ``node``, as sorted; -1 gives the root alone."""
        order, starts, _ = self._places
        return order[starts[node + 1] : starts[node + 2]]

    def child(self, node: int, row: int) -> int:
        """The visible node in a row below ``node``, as sorted; -1 where there is none."""
        places, firsts = self._lists or self._as_lists()
        place = firsts[node + 1] + row
        return places[place] if row >= 0 and place < firsts[node + 2] else -1

    def count_below(self, node: int) -> int:
        """How many visible nodes are right below ``node``; -1 asks for the root."""
        _, firsts = self._lists or self._as_lists()
        return firsts[node + 2] - firsts[node + 1]

    def _as_lists(self) -> tuple[list[int], list[int]]:
        """Where nodes stand: views ask for one place at a time, which lists answer soonest."""
        order, starts, _ = self._places
        self._lists = order.tolist(), starts.tolist()
        return self._lists

    @property
    def in_order(self) -> Integers:
        """The visible nodes, those below one node beside each other and as sorted."""
        return self._places.order

    @property
    def levels(self) -> list[Integers]:
        """Nodes by depth, the root's first."""
        return self._levels

    def row(self, node: int) -> int:
        """The row of a visible node below its parent."""
        return int(self._places.rows[node])

    def sizes(self, node: int) -> tuple[int, ...]:
        """Bytes by ``NAMED``, of ``node`` and all below it."""
        return tuple(self.total[node, :_OVERHEAD].tolist())

    def shown_sizes(self, node: int) -> list[int]:
        """Bytes by ``PARTS``, moved so that they add up to the total as they are printed."""
        values = self.total[node].tolist()
        parts = [*values[:_OVERHEAD], sum(values[_OVERHEAD:_OTHER]), values[_OTHER]]
        return shown(parts, sum(values))

    def cells(self, node: int) -> tuple[str, ...]:
        """``shown_sizes`` by ``NAMED`` and last the total, as they are printed."""
        cells = self._cells.get(node)
        if cells is None:
            sizes = (*self.shown_sizes(node)[:_OVERHEAD], self.total_bytes(node))
            cells = self._cells[node] = tuple(map(format_bytes, sizes))
        return cells

    def total_bytes(self, node: int) -> int:
        """All bytes of ``node`` and what is below it."""
        return int(self.total[node].sum())

    def bar(self, node: int) -> tuple[int, ...]:
        """Bytes by ``PARTS``, of one block for a group, and last what full width stands for."""
        values = self.total[node]
        overhead = int(values[_OVERHEAD:_OTHER].sum())
        parts = [*values[:_OVERHEAD].tolist(), overhead, int(values[_OTHER])]
        count = self._blocks.get(node, 1)
        return (*(part // count for part in parts), self.full_bar(node))

    def full_bar(self, node: int) -> int:
        """What a bar's full width stands for: the largest of those beside it."""
        return int(self._shares[1][node])

    def blocks(self, node: int) -> int:
        """How many blocks a group gathers; 1 for anything else."""
        return self._blocks.get(node, 1)

    @property
    def grouped(self) -> bool:
        """Whether any row gathers blocks."""
        return bool(self._blocks)

    def group_of(self, name: str) -> int | None:
        """The group that hides the module ``name``."""
        node = self.row_names.node(name)
        while node is not None and node >= 0:
            if node in self._blocks:
                return node
            node = int(self.parent[node])
        return None

    def find(self, name: str, title: str) -> int | None:
        """The node of a module or of one of our own rows, by its name and title."""
        node = self.row_names.node(name)
        if node is not None and self.titles[node] == title:
            return node
        return self._our_rows.find(name, title)

    def same_shape(self, other: LayerTable) -> bool:
        """Whether ``other`` has the same rows in the same places, whatever their numbers."""
        return (
            self.titles == other.titles
            and self.names == other.names
            and np.array_equal(self.in_order, other.in_order)
            and np.array_equal(self.parent, other.parent)
        )

    # Sorting and filtering

    def sort(self, column: Column | None, descending: bool = False) -> None:
        """Sorts every level by ``column``; None is the model's own order."""
        self._sort = None if column is None else (column, descending)
        self._forget_places()

    def matches(self, query: Query) -> Booleans:
        """Which nodes ``query`` finds."""
        if self._query_rows is None:
            self._query_rows = TableRows(
                self._layers, self.names, self.titles, self.types, self._own_types, self.total
            )
        return query.matches(self._query_rows)

    def filter(self, query: Query) -> int:
        """Keeps what ``query`` finds and what is above it; the count found."""
        if not query:
            self.visible = np.ones(len(self.parent), bool)
            self._forget_places()
            return len(self.parent)
        matches = self.matches(query)
        found = int(matches.sum())
        self.visible = with_those_above(matches, self.parent, self._levels)
        self._forget_places()
        return found

    def _forget_places(self) -> None:
        self._placed = self._lists = None

    @property
    def _places(self) -> Places:
        """Where rows stand: worked out when somebody asks, so that a sort does not do it twice."""
        if self._placed is None:
            self._placed = places(self._sorted(), self.parent, self.visible)
        return self._placed

    def _sorted(self) -> Integers:
        parent = self.parent
        if self._sort is None:
            order = np.argsort(self._natural_keys(), kind="stable")
            return order[np.argsort(parent[order], kind="stable")]
        column, descending = self._sort
        key = self._key(column)
        return np.lexsort((-key if descending else key, parent))

    def _natural_keys(self) -> Integers:
        first = self._our_rows.first
        return natural_keys(self.kinds, self.names, self.parent, self.row_names, first)

    def _key(self, column: Column) -> Integers:
        if column == "name":
            return self._ranks()
        if column == "share":
            return self._shares[0]
        sizes: Integers = self.total.sum(axis=1) if column == "total" else self.total[:, column]
        return sizes

    def _ranks(self) -> Integers:
        if self._name_ranks is None:
            self._name_ranks = ranks_of(self.titles)
        return self._name_ranks
