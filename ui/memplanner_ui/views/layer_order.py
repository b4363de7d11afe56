"""The model's own order of the layer table's rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memplanner_ui.views.layer_names import Names
from memplanner_ui.views.tree_arrays import Integers


def natural_keys(
    kinds: Sequence[str],
    names: Sequence[str],
    parent: Integers,
    rows: Names,
    first: int,
) -> Integers:
    """What rows are sorted by: a group stands where its first block does, what is around last.

    ``rows`` are those of modules; rows of our own begin at ``first``.
    """
    count, root = len(parent), rows.root
    keys = np.arange(count, dtype=np.int64) * 2
    ours = range(first, count)
    own = [node for node in ours if kinds[node] == "own"]
    keys[own] = np.where(parent[own] != root, -1, 2 * count)
    for node in ours:
        if kinds[node] == "group":
            keys[node] = rows.nodes[names[node]] * 2
        elif kinds[node] != "own":
            keys[node] += 2 * count
    return keys
