from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt
from PySide6.QtGui import QGuiApplication, QPaintEvent, QRegion
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from memplanner.messages.estimate import Layer
from memplanner.units import GIB, KIB, MIB, format_bytes, parse_bytes
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.views.layer_model import (
    BAR_ROLE,
    FIRST_PART,
    NAME,
    NAME_ROLE,
    SHARE,
    TOTAL,
    LayerModel,
)
from memplanner_ui.views.layer_query import parse_query
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.layers import LayersView
from memplanner_ui.views.parts import PARTS, Around
from tests.ui import sample


def table(rows: tuple[Layer, ...] | None = None, **options: object) -> LayerTable:
    return LayerTable(sample.layers() if rows is None else rows, "Llama", **options)  # type: ignore[arg-type]  # keywords


def around(size_bytes: int, other_bytes: int = 0) -> tuple[Around, ...]:
    return (
        Around("CUDA context", "from the catalogue", size_bytes),
        Around("Other processes", "now on the device", other_bytes, other=True),
    )


def titles(of: LayerTable, node: int) -> list[str]:
    return [of.titles[child] for child in of.children(node)]


def path(of: LayerTable, *names: str) -> int:
    node = of.root
    for name in names:
        node = next(int(child) for child in of.children(node) if of.titles[child] == name)
    return node


@pytest.mark.parametrize("group", [True, False])
def test_rows_below_a_row_add_up_to_it(group: bool) -> None:
    made = table(around=around(5, 7), group=group)
    assert made.total_bytes(made.root) == sample.estimate().peak.allocated_bytes + 12
    waiting = [made.root]
    while waiting:
        node = waiting.pop()
        below = [int(child) for child in made.children(node)]
        if below:
            assert sum(made.total_bytes(child) for child in below) == made.total_bytes(node)
        waiting += below


def test_alike_blocks_are_one_row_with_the_numbers_of_all_and_the_bar_of_one() -> None:
    made = table()
    layers = path(made, "model", "layers")
    assert titles(made, layers) == ["0 … 31"]
    group = path(made, "model", "layers", "0 … 31")
    assert made.types[group] == "32 alike"
    assert made.types[layers] == "32 blocks"
    assert made.total_bytes(group) == made.total_bytes(layers)
    one = int(made.children(group)[0])
    assert made.bar(group)[:-1] == made.bar(one)[:-1]
    assert len(made.children(group)) == 32


def test_the_block_asked_for_stands_alone() -> None:
    made = table(single_out="model.layers.17.mlp")
    layers = path(made, "model", "layers")
    assert titles(made, layers) == ["0 … 16", "17", "18 … 31"]
    assert made.group_of("model.layers.3") is not None
    assert made.group_of("model.layers.17.mlp") is None


def test_blocks_that_differ_are_not_grouped() -> None:
    rows = tuple(row.model_copy(update={"alike": 1}) for row in sample.layers(4))
    made = table(rows)
    assert titles(made, path(made, "model", "layers")) == ["0", "1", "2", "3"]


def test_numbered_children_of_a_block_are_not_taken_for_blocks() -> None:
    rows = (
        Layer(name="", type="Mixture"),
        Layer(name="layers", type="ModuleList"),
        *(
            layer
            for block in range(2)
            for layer in (
                Layer(name=f"layers.{block}", type="Block", alike=2 - block),
                Layer(name=f"layers.{block}.experts", type="ModuleList", alike=2 - block),
                *(
                    Layer(
                        name=f"layers.{block}.experts.{expert}",
                        type="Expert",
                        parameters_bytes=expert + 1,
                        alike=2 - block,
                    )
                    for expert in range(3)
                ),
            )
        ),
    )
    made = table(rows)
    experts = path(made, "layers", "0 … 1", "0", "experts")
    assert titles(made, experts) == ["0", "1", "2"]


def test_what_is_in_no_module_has_rows_of_its_own() -> None:
    made = table(around=around(1000, 500))
    top = path(made, "not in a module")
    assert titles(made, top) == ["inputs", "CUDA context", "other processes"]
    assert titles(made, made.root)[-1] == "not in a module"
    assert made.total_bytes(path(made, "not in a module", "CUDA context")) == 1000


def test_a_bar_s_full_width_is_its_largest_sibling() -> None:
    made = table(group=False)
    siblings = [int(child) for child in made.children(path(made, "model", "layers", "3"))]
    bars = [made.bar(node) for node in siblings]
    assert {bar[-1] for bar in bars} == {max(sum(bar[:-1]) for bar in bars)}


def test_a_module_whose_parent_has_no_row_goes_to_the_nearest() -> None:
    rows = (Layer(name="", type="M"), Layer(name="a.b.c", type="Linear", parameters_bytes=4))
    made = table(rows)
    assert made.total_bytes(made.root) == 4
    assert titles(made, made.root) == ["c"]


def test_names_are_used_again_only_where_they_are_the_same() -> None:
    first = table()
    again = table(sample.layers(batch_size=2), known=first.row_names)
    assert again.row_names is first.row_names
    assert again.total_bytes(again.root) > first.total_bytes(first.root)
    other = table(sample.layers(8), known=first.row_names)
    assert other.types[path(other, "model", "layers")] == "8 blocks"
    assert first.types[path(first, "model", "layers")] == "32 blocks"


@pytest.mark.parametrize("column", ["name", "share", "total", 0, 3])
def test_sorting_orders_every_level(column: str | int) -> None:
    made = table(group=False)
    made.sort(column, descending=True)  # type: ignore[arg-type]  # a column
    layers = path(made, "model", "layers")
    assert made.children(layers)[0] >= 0
    if column == "total":
        block = [
            made.total_bytes(int(n)) for n in made.children(path(made, "model", "layers", "5"))
        ]
        assert block == sorted(block, reverse=True)
    if column == "name":
        assert titles(made, layers) == [str(n) for n in range(31, -1, -1)]
    made.sort(None)
    assert titles(made, layers) == [str(n) for n in range(32)]


def test_a_filter_keeps_what_matches_and_what_is_above_it() -> None:
    made = table(group=False)
    assert made.filter(parse_query("Q_PROJ")) == 32
    block = path(made, "model", "layers", "9")
    assert titles(made, block) == ["self_attn"]
    assert made.filter(parse_query("embedding")) >= 1
    assert "embed_tokens" in titles(made, path(made, "model"))
    assert made.filter(parse_query("no such thing")) == 0
    assert len(made.children(-1)) == 0
    made.filter(parse_query(""))
    assert len(made.children(block)) == 4


def test_the_model_keeps_qt_s_contract(qtbot: QtBot, qapp: QApplication) -> None:
    apply_theme(qapp, "light")
    model = LayerModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_table(table(around=around(9)))
    model.sort(TOTAL, Qt.SortOrder.DescendingOrder)
    model.set_filter(parse_query("mlp"))
    model.sort(-1)
    model.set_filter(parse_query(""))
    model.set_table(table(sample.layers(batch_size=2), around=around(9)))
    assert model.rowCount() == 1
    root = model.index(0, 0)
    assert model.parent(model.index(0, 0, root)) == root
    assert tester.model() is model


def test_cells_say_sizes_bytes_and_words(qapp: QApplication) -> None:
    model = LayerModel()
    made = table()
    model.set_table(made)
    node = made.node("lm_head")
    assert node is not None
    total = model.index_of(node, TOTAL)
    assert total.data() == "4.9 GiB"
    assert total.data(Qt.ItemDataRole.ToolTipRole).endswith(" bytes")
    temporaries = model.index_of(node, FIRST_PART + PARTS.index("temporaries"))
    assert temporaries.data() == "–"
    assert temporaries.data(Qt.ItemDataRole.AccessibleTextRole) == "nothing"
    assert len(model.index_of(node, SHARE).data(BAR_ROLE)) == len(PARTS) + 1


def test_the_parts_of_every_row_add_up_to_its_total_as_printed(qapp: QApplication) -> None:
    made = table(around=around(1_500_000_000, 700_000_000))
    for node in range(len(made.parent)):
        total = made.total_bytes(node)
        sizes = made.shown_sizes(node)
        largest = format_bytes(max(sizes)).split(" ")[-1]
        if total and largest == format_bytes(total).split(" ")[-1]:
            printed = sum(parse_bytes(format_bytes(size)) for size in sizes if size)
            step = GIB // 10 if total >= GIB else MIB if total >= MIB else KIB
            assert abs(printed - parse_bytes(format_bytes(total))) <= step * 0.51


def test_a_group_stays_selected_and_the_root_is_a_module(qtbot: QtBot, view: LayersView) -> None:
    model, tree = view.tree.layer_model, view.tree
    made = model.table
    assert made is not None
    group = made.group_of("model.layers.20")
    assert group is not None
    tree.expandAll()
    tree.setCurrentIndex(model.index_of(group))
    first = tree.current_name
    view.select(first)
    assert tree.layer_model.node_of(tree.currentIndex()) == group
    with qtbot.waitSignal(view.module_selected) as said:
        tree.setCurrentIndex(model.index_of(made.root))
    assert said.args == [""]
    view.select(None)
    assert tree.current_name is None


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> LayersView:
    apply_theme(qapp, "light")
    made = LayersView()
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.set_estimate(sample.estimate())
    return made


def test_selecting_shows_a_module_and_says_so(qtbot: QtBot, view: LayersView) -> None:
    view.show()
    with qtbot.waitSignal(view.module_selected) as said:
        view.select("model.layers.17.mlp")
    assert said.args == ["model.layers.17.mlp"]
    tree = view.tree
    assert tree.currentIndex().data(NAME_ROLE) == "model.layers.17.mlp"
    assert tree.visualRect(tree.currentIndex()).height() > 0


def test_a_new_estimate_keeps_what_is_open_and_selected(qtbot: QtBot, view: LayersView) -> None:
    view.select("model.layers.17.mlp")
    view.tree.expand(view.tree.currentIndex())
    with qtbot.assertNotEmitted(view.module_selected):
        view.set_estimate(sample.estimate(2))
    current = view.tree.currentIndex()
    assert current.data(NAME_ROLE) == "model.layers.17.mlp"
    assert view.tree.isExpanded(current)
    root = view.tree.layer_model.index(0, TOTAL)
    assert root.data() == "88.7 GiB"


class Painted(QObject):
    """What of a widget was painted."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.area = QRegion()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.area += event.region()
        return False


def test_other_figures_are_painted_in_the_same_turn_and_names_are_not(
    qtbot: QtBot, view: LayersView
) -> None:
    view.set_estimate(sample.estimate())
    with qtbot.waitExposed(view):
        view.show()
    for _ in range(3):
        QApplication.processEvents()
    painted = Painted(view.tree.viewport())
    view.set_estimate(sample.estimate(2))
    QApplication.processEvents()
    model = view.tree.layer_model
    assert model.table is not None
    root = model.index_of(model.table.root)
    assert painted.area.contains(view.tree.visualRect(root.siblingAtColumn(TOTAL)).center())
    assert not painted.area.contains(view.tree.visualRect(root).center())
    painted.area = QRegion()
    view.set_estimate(sample.estimate(2))
    QApplication.processEvents()
    assert painted.area.isEmpty()


def test_another_moment_is_asked_for_and_shown(qtbot: QtBot, view: LayersView) -> None:
    with qtbot.waitSignal(view.moment_requested) as asked:
        view.moments.findChildren(type(view.group_box).__mro__[1])[1].click()
    assert asked.args == ["end_of_forward"]
    before = view.tree.layer_model.index(0, TOTAL).data()
    view.set_layers("optimizer_step", sample.layers(2))  # not the one chosen
    assert view.tree.layer_model.index(0, TOTAL).data() == before
    view.set_layers("end_of_forward", sample.layers(2))
    assert view.tree.layer_model.index(0, TOTAL).data() != before
    with qtbot.waitSignal(view.moment_requested):
        view.set_estimate(sample.estimate(2))


def test_the_filter_field_filters_and_opens(qtbot: QtBot, view: LayersView) -> None:
    view.group_box.setChecked(False)
    view.filter_field.setText("layers.9.mlp.gate")
    model = view.tree.layer_model

    def last() -> QModelIndex:
        index = model.index(0, 0)
        while model.rowCount(index):
            index = model.index(0, 0, index)
        return index

    qtbot.waitUntil(lambda: last().data(NAME_ROLE) == "model.layers.9.mlp.gate_proj")
    assert view.tree.isExpanded(last().parent())
    qtbot.keyClick(view.filter_field, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: model.rowCount(model.index(0, 0)) > 2)


def test_rows_are_copied_as_text(qtbot: QtBot, view: LayersView) -> None:
    view.select("lm_head")
    view.tree.copy()
    head, row = QGuiApplication.clipboard().text().splitlines()
    assert head.split("\t")[-1] == "Total"
    assert row.split("\t")[0] == "lm_head"
    assert row.endswith("4.9 GiB")
    view.tree.copy(exact_bytes=True)
    exact = QGuiApplication.clipboard().text().splitlines()[1].split("\t")
    assert sum(int(size) for size in exact[2:-1]) == int(exact[-1])


def test_parts_that_the_plan_has_none_of_have_no_column(qtbot: QtBot, view: LayersView) -> None:
    def shown() -> list[str]:
        tree, side = view.tree, Qt.Orientation.Horizontal
        columns = [c for c in range(FIRST_PART, TOTAL) if not tree.isColumnHidden(c)]
        return [str(tree.layer_model.headerData(column, side)) for column in columns]

    assert shown() == ["Param.", "Grad.", "Optim.", "Activ.", "Temp."]
    rows = [Layer(name="", type="Llama"), Layer(name="a", type="Linear", parameters_bytes=4)]
    rows.append(Layer(name="b", type="Attention", kv_cache_bytes=8, activations_bytes=2))
    view.set_estimate(sample.estimate(rows=tuple(rows)))
    assert shown() == ["Param.", "Activ.", "KV", "Temp."]
    view.tree.selectAll()
    view.tree.copy()
    heading = QGuiApplication.clipboard().text().splitlines()[0]
    assert heading == "Module\tType\tParam.\tActiv.\tKV\tTemp.\tTotal"


def test_no_estimate_leaves_an_empty_tree(view: LayersView) -> None:
    view.set_estimate(None)
    assert view.tree.layer_model.rowCount() == 0
    view.select("lm_head")
    assert not view.tree.currentIndex().isValid()


@pytest.mark.parametrize("width", [500, 660, 900])
def test_names_and_moments_have_room_at_every_width(
    qtbot: QtBot, qapp: QApplication, width: int
) -> None:
    apply_theme(qapp, "light")
    view = LayersView()
    qtbot.addWidget(view)
    view.resize(width, 500)
    view.set_estimate(sample.estimate())
    view.show()
    qtbot.waitExposed(view)
    assert view.tree.columnWidth(NAME) >= 150
    assert view.tree.isColumnHidden(SHARE) == (width < 800)
    for button in view.moments.findChildren(QPushButton):
        assert button.width() >= button.minimumWidth()
        right = button.mapTo(view, button.rect().topRight()).x()
        assert right < width
    field, box = view.filter_field.geometry(), view.group_box.geometry()
    assert not field.intersects(view.moments.parentWidget().geometry())
    assert box.right() < width
    types = view.type_box.geometry()
    assert types.right() < width
    assert not types.intersects(
        view.moments.geometry().translated(view.moments.parentWidget().pos())
    )
