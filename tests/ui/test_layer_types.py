"""The layers by their types: every module once, the sums of before."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner_ui.look.theme import apply_theme
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.layer_types import TypeTable
from memplanner_ui.views.layers import LayersView
from tests.ui import sample


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> LayersView:
    apply_theme(qapp, "light")
    made = LayersView()
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.set_estimate(sample.estimate())
    return made


def test_by_type_each_module_stands_once_below_its_own(qtbot: QtBot, view: LayersView) -> None:
    whole = view.tree.layer_model.table
    assert whole is not None
    view.type_box.setChecked(True)
    by_type = view.tree.layer_model.table
    assert isinstance(by_type, TypeTable)
    assert by_type.total_bytes(by_type.root) == whole.total_bytes(whole.root)
    tops = [int(node) for node in by_type.children(by_type.root)]
    types = [node for node in tops if by_type.kinds[node] == "type"]
    assert [by_type.total_bytes(node) for node in types] == sorted(
        (by_type.total_bytes(node) for node in types), reverse=True
    )
    below = [by_type.names[int(child)] for node in types for child in by_type.children(node)]
    assert sorted(below) == sorted(name for name in by_type.row_names.names if name)
    linear = next(node for node in types if by_type.titles[node] == "Linear")
    assert {by_type.types[int(child)] for child in by_type.children(linear)} == {"Linear"}
    view.tree.setCurrentIndex(view.tree.layer_model.index_of(linear))
    picked = view.tree.picked()
    assert picked == tuple(by_type.names[int(child)] for child in by_type.children(linear))
    assert not view.group_box.isEnabled()
    view.type_box.setChecked(False)
    again = view.tree.layer_model.table
    assert again is not None
    assert again.titles == whole.titles


def test_modules_found_stay_below_their_types(qtbot: QtBot, view: LayersView) -> None:
    view.type_box.setChecked(True)
    view.filter_field.setText("type:Linear")
    table = view.tree.layer_model.table
    assert table is not None

    def tops() -> list[str]:
        return [table.titles[int(node)] for node in table.children(table.root)]

    qtbot.waitUntil(lambda: tops() == ["Linear"])


def test_what_a_list_of_blocks_holds_itself_is_no_block() -> None:
    layers = sample.layers()
    plain = LayerTable(layers, "Llama")
    (blocks,) = (node for node, type_ in enumerate(plain.types) if type_.endswith(" blocks"))
    held = tuple(
        layer.model_copy(update={"optimizer_state_bytes": 8})
        if layer.name == plain.names[blocks]
        else layer
        for layer in layers
    )
    assert plain.types[blocks] in LayerTable(held, "Llama").types
