"""The icicle: width is bytes, alike blocks fold, tiles are chosen and zoomed into."""

from __future__ import annotations

import itertools
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner.messages.estimate import Estimate, Layer
from memplanner.units import GIB, MIB, format_bytes
from memplanner_ui.look.theme import SchemeChoice, apply_theme, current
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views import icicle_words
from memplanner_ui.views.icicle import IcicleView
from memplanner_ui.views.icicle_data import ALL, COLUMNS, MODEL, NONE, TOP, Frame, Icicle
from memplanner_ui.views.icicle_layout import NARROWEST, Tile, arrange, home
from memplanner_ui.views.icicle_map import IcicleMap
from memplanner_ui.views.layer_query import parse_query
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.parts import around_rows
from memplanner_ui.workspace import ICICLE, LAYERS
from tests.ui import sample

Keys = Qt.Key
MLP = "model.layers.17.mlp"


def icicle(
    estimate: Estimate | None = None, *, fold: bool = True, group: bool | None = None
) -> Icicle:
    estimate = sample.estimate() if estimate is None else estimate
    grouped = fold if group is None else group
    table = LayerTable(estimate.layers, "Llama", around_rows(estimate), group=grouped)
    return Icicle(table, Frame.of(estimate), fold=fold)


def tile_of(shown: IcicleMap, name: str) -> Tile:
    made = shown.icicle
    assert made is not None
    place = made.tile_of(name)
    return next(tile for tile in shown.tiles if tile.first <= place < tile.stop)


def click(qtbot: QtBot, shown: IcicleMap, tile: Tile) -> None:
    area = shown.area_of(tile)
    qtbot.mouseClick(shown, Qt.MouseButton.LeftButton, pos=area.center().toPoint())


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> IcicleView:
    apply_theme(qapp, "light")
    made = IcicleView()
    qtbot.addWidget(made)
    made.resize(840, 660)
    made.show()
    made.set_estimate(sample.estimate())
    return made


# What tiles hold


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("group", [True, False])
def test_tiles_below_a_tile_add_up_to_it(*, fold: bool, group: bool) -> None:
    made = icicle(fold=fold, group=group)
    for tile in range(len(made)):
        below = np.flatnonzero(made.parent == tile)
        if below.size:
            assert (made.bytes[below].sum(axis=0) == made.bytes[tile]).all()


@pytest.mark.parametrize("fold", [True, False])
def test_the_whole_is_the_card_with_what_is_free(*, fold: bool) -> None:
    estimate = sample.estimate()
    made = icicle(fold=fold)
    assert made.bytes[TOP].sum() == sample.CARD_BYTES
    assert (
        made.bytes[MODEL].sum() == estimate.peak.allocated_bytes - estimate.layers[0].inputs_bytes
    )
    assert made.bytes[made.free].tolist() == [0] * (len(COLUMNS) - 1) + [estimate.spare_bytes]
    beside = [made.title(tile) for tile in np.flatnonzero(made.parent == TOP).tolist()]
    assert beside[0] == "Llama"
    assert beside[-1] == "Free"
    assert {"inputs", "CUDA context", "other processes"} <= set(beside)


def test_a_card_that_is_exceeded_has_nothing_free_but_says_what_is_missing() -> None:
    estimate = sample.estimate(batch_size=2)
    assert estimate.spare_bytes is not None
    assert estimate.spare_bytes < 0
    made = icicle(estimate)
    assert made.bytes[made.free].sum() == 0
    assert made.frame.missing_bytes == -estimate.spare_bytes
    assert made.bytes[TOP].sum() == sample.CARD_BYTES - estimate.spare_bytes
    whole = arrange(made, ALL, TOP, 800, 4)[0]
    assert "more than the card has" in icicle_words.words(made, whole, ALL)


def test_parts_of_alike_blocks_stand_for_all_of_them() -> None:
    folded, each = icicle(fold=True), icicle(fold=False)
    one = folded.tile_of("model.layers.0.mlp")
    assert folded.count[one] == sample.BLOCKS
    blocks = [each.tile_of(f"model.layers.{n}.mlp") for n in range(sample.BLOCKS)]
    assert NONE not in blocks
    assert (folded.bytes[one] == each.bytes[blocks].sum(axis=0)).all()
    assert folded.tile_of(MLP) == one
    assert folded.kind(folded.tile_of("model.layers.17")) == "group"
    assert folded.type(folded.tile_of("model.layers.17")) == "LlamaDecoderLayer"
    assert folded.tile_of("no.such.module") == NONE


@given(st.data())
def test_a_tile_lies_within_the_one_above_it_and_beside_its_neighbours(data: st.DataObject) -> None:
    made = icicle(fold=data.draw(st.booleans()))
    held = [column for column in (ALL, *COLUMNS) if made.spans(column)[1].any()]
    column = data.draw(st.sampled_from(held))
    _, size = made.spans(column)
    zoom = data.draw(st.sampled_from(np.flatnonzero(size > 0).tolist()))
    width = data.draw(st.floats(50, 3000))
    scale = data.draw(st.sampled_from((1.0, 1.25, 2.0)))
    tiles = arrange(made, column, zoom, width, 12, scale)
    by_place = {tile.first: tile for tile in tiles if tile.many == 1}
    for row in range(tiles[-1].row + 1):
        here = [tile for tile in tiles if tile.row == row]
        assert here
        for one, two in itertools.pairwise(here):
            assert one.right <= two.left + 1e-9
    for tile in tiles:
        assert 0 <= tile.left < tile.right <= width + 1 / scale
        above = by_place.get(tile.above)
        if above is not None and tile.row > above.row:
            assert above.left - 1e-9 <= tile.left
            assert tile.right <= above.right + 1e-9
        if above is not None and above.first == zoom and size[tile.first : tile.stop].sum():
            share = size[tile.first : tile.stop].sum() / size[zoom]
            assert abs(tile.width - share * width) <= 2 / scale


def test_what_is_too_narrow_is_one_tile_with_its_neighbours() -> None:
    rows = [Layer(name="", type="Net"), Layer(name="wide", type="Linear", parameters_bytes=GIB)]
    rows += [Layer(name=f"n{n}", type="Linear", parameters_bytes=MIB // 4) for n in range(200)]
    made = Icicle(LayerTable(rows, "Net"), Frame("Net"), fold=True)
    tiles = arrange(made, ALL, MODEL, 800, 5)
    gathered = tiles[-1]
    assert gathered.many == 200
    assert gathered.width >= NARROWEST
    assert icicle_words.size_bytes(made, gathered, ALL) == 50 * MIB
    assert "200 narrow parts" in icicle_words.words(made, gathered, ALL)


def test_the_device_is_left_out_where_nothing_stands_beside_the_model() -> None:
    made = icicle()
    assert home(made, ALL) == TOP
    assert home(made, "gradients") == MODEL
    assert home(made, "overhead") == TOP


def test_a_hundred_thousand_modules_are_drawn_at_once() -> None:
    rows = sample.layers(100_000 // 13)
    table = LayerTable(rows, "Llama", group=False)
    started = perf_counter()
    made = Icicle(table, Frame("Llama"), fold=False)
    built = perf_counter()
    tiles = arrange(made, ALL, MODEL, 1200, 12)
    inside = arrange(made, ALL, made.tile_of("model.layers.5000"), 1200, 12)
    done = perf_counter()
    assert len(made) > 100_000
    assert len(tiles) + len(inside) < 12 * 1200 / NARROWEST
    assert any(made.module(tile.first) == "model.layers.5000.mlp" for tile in inside)
    assert built - started < 2, "some 0.2 s on a quiet machine"
    assert done - built < 0.3


# The view


def test_few_rows_fill_the_height(view: IcicleView) -> None:
    view.resize(900, 700)
    shown = view.map
    bottom = max(shown.area_of(tile).bottom() for tile in shown.tiles)
    assert max(tile.row for tile in shown.tiles) < 8
    assert 0.85 * shown.height() < bottom <= shown.height()


def test_a_click_chooses_and_zooms_and_keys_go_back(qtbot: QtBot, view: IcicleView) -> None:
    shown = view.map
    chosen: list[str] = []
    view.module_selected.connect(chosen.append)
    assert not shown.is_zoomed
    assert not view.whole.isEnabled()
    click(qtbot, shown, tile_of(shown, "model.layers.0.mlp"))
    assert chosen == ["model.layers.0.mlp"]
    assert shown.is_zoomed
    assert view.whole.isEnabled()
    widest = tile_of(shown, "model.layers.0.mlp")
    assert (widest.left, widest.right) == (shown.tiles[0].left, shown.tiles[0].right)
    qtbot.keyClick(shown, Keys.Key_Backspace)
    assert shown.icicle is not None
    assert shown.icicle.kind(shown.zoom) == "group"
    qtbot.keyClick(shown, Keys.Key_Escape)
    qtbot.keyClick(shown, Keys.Key_Home)
    assert not shown.is_zoomed


def test_a_tile_above_is_zoomed_out_to(qtbot: QtBot, view: IcicleView) -> None:
    shown = view.map
    assert shown.icicle is not None
    shown.zoom_to(shown.icicle.tile_of("model.layers.0.mlp"))
    click(qtbot, shown, tile_of(shown, "model"))
    assert shown.zoom == shown.icicle.tile_of("model")
    click(qtbot, shown, tile_of(shown, "model"))
    assert shown.zoom == MODEL, "the one that is as wide as the whole leads out of itself"


def test_a_module_without_parts_is_chosen_and_nothing_moves(qtbot: QtBot, view: IcicleView) -> None:
    chosen: list[str] = []
    view.module_selected.connect(chosen.append)
    click(qtbot, view.map, tile_of(view.map, "lm_head"))
    assert chosen == ["lm_head"]
    assert not view.map.is_zoomed


def test_arrow_keys_go_from_tile_to_tile_and_are_read_out(qtbot: QtBot, view: IcicleView) -> None:
    shown = view.map
    shown.setFocus()
    said = []
    for key in (Keys.Key_Down, Keys.Key_Down, Keys.Key_Right, Keys.Key_Left, Keys.Key_Up):
        qtbot.keyClick(shown, key)
        said.append(shown.accessibleDescription().split(",")[0])
    assert said == [view.map.icicle.title(MODEL), "model", "lm_head", "model", said[0]]  # type: ignore[union-attr]  # shown
    assert view.readout.whole == shown.accessibleDescription()
    assert "LlamaForCausalLM" in view.readout.whole
    assert f"of {format_bytes(sample.CARD_BYTES)}" in view.readout.whole
    chosen: list[str] = []
    view.module_selected.connect(chosen.append)
    qtbot.keyClick(shown, Keys.Key_Down)
    qtbot.keyClick(shown, Keys.Key_Space)
    assert chosen == ["model"]
    assert not shown.is_zoomed
    qtbot.keyClick(shown, Keys.Key_Return)
    assert shown.is_zoomed


def test_what_the_pointer_is_over_is_read_out(qtbot: QtBot, view: IcicleView) -> None:
    area = view.map.area_of(tile_of(view.map, MLP))
    qtbot.mouseMove(view.map, QPoint(2, 2))
    qtbot.mouseMove(view.map, area.center().toPoint())
    assert view.readout.whole.startswith("model.layers.0.mlp and 31 like it, LlamaMLP, ")


def test_a_selection_from_elsewhere_is_brought_into_sight(view: IcicleView) -> None:
    shown = view.map
    assert shown.icicle is not None
    view.fold_box.setChecked(False)
    assert shown.icicle is not None
    shown.zoom_to(shown.icicle.tile_of("model.layers.3"))
    view.select("model.layers.3.mlp")
    assert shown.zoom == shown.icicle.tile_of("model.layers.3"), "it can be seen there"
    view.select(MLP)
    assert shown.zoom == shown.icicle.tile_of("model.layers")
    tile = tile_of(shown, MLP)
    accent = current().color("accent")
    picture = shown.grab().toImage()
    corner = shown.area_of(tile).topLeft().toPoint()
    assert QColor(picture.pixel(corner + QPoint(0, 12))) == accent


def test_an_edit_keeps_the_zoom(view: IcicleView) -> None:
    shown = view.map
    assert shown.icicle is not None
    shown.zoom_to(shown.icicle.tile_of("model.layers.0.mlp"))
    view.set_estimate(sample.estimate(batch_size=2))
    assert shown.zoom == shown.icicle.tile_of("model.layers.0.mlp")
    view.fold_box.setChecked(False)
    assert shown.zoom == shown.icicle.tile_of("model.layers.0.mlp")


def test_one_category_is_the_width(view: IcicleView) -> None:
    row = view.column.findData("activations")
    view.column.setCurrentIndex(row)
    made = view.map.icicle
    assert made is not None
    for tile in view.map.tiles:
        assert made.bytes[tile.first : tile.stop, COLUMNS.index("activations")].sum() > 0
    assert "of activations" in view.map.words_of(view.map.tiles[0])
    kv_cache = view.column.model().index(view.column.findData("kv_cache"), 0)
    assert not view.column.model().flags(kv_cache) & Qt.ItemFlag.ItemIsEnabled


def test_another_moment_is_asked_for_and_shown_without_the_device(
    qtbot: QtBot, view: IcicleView
) -> None:
    asked: list[str] = []
    view.moment_requested.connect(asked.append)
    view.moments.chosen.emit("end_of_forward")
    assert asked == ["end_of_forward"]
    view.set_layers("optimizer_step", sample.layers(2))
    assert view.map.icicle is not None
    assert view.map.icicle.count.max() == sample.BLOCKS
    view.set_layers("end_of_forward", sample.layers(3))
    assert view.map.icicle.count.max() == 3
    top = view.map.icicle.bytes[TOP]
    assert view.map.icicle.title(TOP) == "Allocated"
    assert top.sum() == sum(sample.categories(sample.layers(3)).model_dump().values())
    assert top[COLUMNS.index("free")] == 0, "what is free at that moment is not known"
    view.set_estimate(sample.estimate())
    assert asked == ["end_of_forward"] * 2


def test_a_query_dims_what_it_does_not_find(view: IcicleView) -> None:
    bright = view.map.grab().toImage()
    view.filter_field.setText("type:Linear")
    view.filter_field.read()
    dimmed = view.map.grab().toImage()
    for name, same in (("lm_head", True), ("model.layers", False)):
        place = view.map.area_of(tile_of(view.map, name)).bottomLeft().toPoint() + QPoint(3, -3)
        assert (bright.pixel(place) == dimmed.pixel(place)) == same
    made = view.map.icicle
    assert made is not None
    found = made.matches(parse_query("type:DecoderLayer"))
    assert found[made.tile_of("model.layers.0")], "a group, by the type of its blocks"


def test_the_table_has_every_tile_and_leads_back(qtbot: QtBot, view: IcicleView) -> None:
    view.toggle_table()
    table = view.table
    assert table.isVisible()
    assert table.rowCount() == len(view.map.tiles)
    names = [table.item(row, 0).text().strip() for row in range(table.rowCount())]
    assert names[1:4] == ["Llama-3.1-8B", "model", "embed_tokens"]
    assert names[-1] == "Free"
    table.selectRow(names.index("layers"))
    chosen: list[str] = []
    view.module_selected.connect(chosen.append)
    qtbot.keyClick(table, Keys.Key_Return)
    assert chosen == ["model.layers"]
    assert view.map.is_zoomed
    table.copy_wanted.emit()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].startswith("Module\tType\tBytes\tShare\tParam.")
    assert len(lines) == len(view.map.tiles) + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_free_is_outlined(
    qapp: QApplication, view: IcicleView, scheme: SchemeChoice
) -> None:
    apply_theme(qapp, scheme)
    made = view.map.icicle
    assert made is not None
    tile = next(one for one in view.map.tiles if one.first == made.free)
    picture = view.map.grab().toImage()
    area = view.map.area_of(tile).toRect()
    assert QColor(picture.pixel(area.topLeft())) == current().color("text2")
    assert QColor(picture.pixel(area.topLeft() + QPoint(4, 4))) == current().color("free")
    apply_theme(qapp, "light")


def test_nothing_is_built_out_of_sight(qtbot: QtBot) -> None:
    made = IcicleView()
    qtbot.addWidget(made)
    made.set_estimate(sample.estimate())
    made.select(MLP)
    assert made.map.icicle is None
    made.show()
    assert made.map.icicle is not None
    made.set_estimate(None)
    assert made.map.icicle is None
    assert not made.as_table.isEnabled()


@pytest.mark.window
def test_the_selection_is_one_with_the_tree_s(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["view_icicle"].trigger()
    workspace, shown = opened.workspace, opened.workspace.icicle.map
    assert workspace.current == ICICLE
    assert opened.actions_["view_icicle"].isChecked()
    assert shown.icicle is not None
    tile = next(
        t for t in shown.tiles if t.first > MODEL and shown.icicle.kind(t.first) == "module"
    )
    name = shown.icicle.module(tile.first)
    click(qtbot, shown, tile)
    assert opened.session.selection.name == name
    opened.actions_["timeline_table"].trigger()
    assert workspace.icicle.table.isVisible()
    opened.actions_["find"].trigger()
    assert workspace.current == ICICLE
    assert workspace.icicle.filter_field.hasFocus()
    workspace.show_view(LAYERS)
    assert workspace.layers.tree.current_name == name
