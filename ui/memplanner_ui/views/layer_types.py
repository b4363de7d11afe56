"""The layers below their types: what all Linear layers take together, and each of them."""

from __future__ import annotations

from memplanner_ui.language import plural
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.tree_arrays import Integers


class TypeTable(LayerTable):
    """Below the model a row for each type of module, the largest first, and below it the modules.

    A module's row has what it holds itself; what is below it in the model stands at its own type.
    """

    def _add_rows(self, root_work: str, group: bool, single_out: str) -> None:
        root = self.root
        types: dict[str, int] = {}
        gathered: dict[int, int] = {}
        count = len(self.row_names.names)
        for node in range(count):
            if node == root:
                continue
            row = types.get(self.types[node])
            if row is None:
                row = types[self.types[node]] = self._add("type", root, self.types[node], "")
            gathered[row] = gathered.get(row, 0) + 1
            self._parents[node] = row
            self.titles[node] = self.names[node]
        for row, modules in gathered.items():
            self.types[row] = plural("Views", "{count} modules", "{count} module", modules).format(
                count=modules
            )
        if self._own[root].any():
            self._add_own([root])
            self.types[-1] = root_work

    def _natural_keys(self) -> Integers:
        keys = super()._natural_keys()
        for node, kind in enumerate(self.kinds):
            if kind == "type":
                keys[node] = -self.total_bytes(node)
        return keys
