"""The tree that dotted names make. Every estimate of a model has the same one, so it is kept."""

from __future__ import annotations

from dataclasses import dataclass


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
    nodes = {name: node for node, name in enumerate(names)}
    root = nodes[""]
    # Slices, not rpartition: tuples by the thousand would set off garbage collections.
    cuts = [name.rfind(".") for name in names]
    heads = [name[:cut] if cut > 0 else "" for name, cut in zip(names, cuts, strict=True)]
    titles = [name[cut + 1 :] for name, cut in zip(names, cuts, strict=True)]
    parents = [nodes.get(head, -1) for head in heads]
    parents[root] = -1
    for node in [node for node, parent in enumerate(parents) if parent < 0 and node != root]:
        head = heads[node]
        while head not in nodes:
            head = head.rpartition(".")[0]
        parents[node] = nodes[head]
    return Names(names, titles, parents, nodes)


def split_around(run: list[str], single_out: str) -> list[list[str]]:
    """``run`` in parts, so that the block around ``single_out`` stands alone."""
    for place, block in enumerate(run):
        if single_out == block or single_out.startswith(block + "."):
            return [run[:place], [block], run[place + 1 :]]
    return [run]
