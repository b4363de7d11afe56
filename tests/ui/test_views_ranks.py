"""The Sharding view: linked degrees, ranks with the fullest marked, stages that can be moved."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton, QScrollArea
from pytestqt.qtbot import QtBot

from memplanner.messages.device import Device
from memplanner.messages.estimate import Categories, Estimate, RankFigures, Verdict
from memplanner.plan import Plan
from memplanner.units import GIB
from memplanner_ui.main_window import MainWindow
from memplanner_ui.mesh_editor import MeshEditor, batch_words, mesh_words
from memplanner_ui.mesh_editor_field import FactorField, offered
from memplanner_ui.views import ranks_data
from memplanner_ui.views.ranks import RanksView
from memplanner_ui.views.ranks_data import in_flight
from memplanner_ui.views.ranks_grid import Shades
from memplanner_ui.views.verdict import lines
from memplanner_ui.workspace import RANKS
from tests.ui import fake_figures
from tests.ui.acting import LONG, edit

MESH: dict[str, object] = {
    "sharding.nodes": 2,
    "sharding.cards_per_node": 8,
    "sharding.pipeline": 4,
    "training.gradient_accumulation_steps": 8,
}
pytestmark = pytest.mark.window


def estimate(changes: dict[str, object], rank: int | None = None) -> Estimate:
    plan = Plan().with_values(changes)
    return fake_figures.make_estimate("preset:llama-3.1-8b", plan, fake_figures.CARD, rank)


def shard(qtbot: QtBot, window: MainWindow, changes: dict[str, object]) -> None:
    """Gives the plan a mesh, shows the view, and waits for the ranks."""
    document = window.session.document
    document.set_plan(document.plan.with_values(changes))
    window.workspace.show_view(RANKS)
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)


# Fields and words


def test_a_field_steps_through_its_values_only(qtbot: QtBot) -> None:
    field = FactorField("Tensor")
    qtbot.addWidget(field)
    field.offer((1, 2, 3, 6, 12), 3)
    seen: list[int] = []
    field.chosen.connect(seen.append)
    field.stepUp()
    field.stepDown()
    field.stepDown()
    assert seen == [6, 3, 2]
    field.stepBy(9)
    assert field.value() == 12
    assert "1, 2, 3, 6 or 12" in field.accessibleDescription()


def test_what_is_typed_becomes_the_nearest_value(qtbot: QtBot) -> None:
    field = FactorField("Tensor")
    qtbot.addWidget(field)
    field.show()
    field.offer((1, 2, 4, 8), 2)
    field.selectAll()
    qtbot.keyClicks(field, "7")
    assert field.value() == 2, "not before it is finished"
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.value() == 8
    assert field.fixup("x") == "8"


def test_cards_double(qtbot: QtBot) -> None:
    field = FactorField("Nodes")
    qtbot.addWidget(field)
    field.offer(range(1, 16385), 4)
    assert (field.next_value(4, up=True), field.next_value(4, up=False)) == (8, 2)
    field.offer(range(3, 100, 3), 9)
    assert (field.next_value(9, up=True), field.next_value(9, up=False)) == (18, 6)
    assert offered(range(1, 16385)) == "1, 2, 3 … 16\u2009384"


def test_mesh_and_batch_are_products() -> None:
    plan = Plan().with_values({**MESH, "training.batch_size": 2, "training.sequence_length": 4096})
    assert mesh_words(plan.sharding) == "= 16 cards = pipeline 4 × data 4"
    assert batch_words(plan, takes_sequence=True) == (
        "Global batch 64 = micro-batch 2 × accumulation 8 × data 4; 262\u2009144 tokens a step"
    )
    assert batch_words(Plan(), takes_sequence=False).startswith("Global batch 1 = ")


def test_replicas_are_offered_where_they_matter(qtbot: QtBot) -> None:
    editor = MeshEditor()
    qtbot.addWidget(editor)
    editor.show()
    editor.show_plan(Plan())
    assert not editor.fields["replicas"].isVisible()
    editor.show_plan(Plan().with_values({"sharding.cards_per_node": 4, "sharding.data": "zero_3"}))
    assert editor.fields["replicas"].isVisible()
    assert list(editor.fields["replicas"].values) == [1, 2, 4]


# Ranks


def test_a_stage_has_a_row_and_alike_ranks_share_a_cell() -> None:
    few = ranks_data.rows(estimate(MESH))
    assert [[cell.title for cell in row] for row in few][1] == [f"rank {n}" for n in range(4, 8)]
    many = ranks_data.rows(estimate({**MESH, "sharding.nodes": 8, "sharding.tensor": 2}))
    assert [cell.title for cell in many[0]] == ["ranks 0, 2 … 14", "ranks 1, 3 … 15"]
    assert many[0][1].count == 8
    assert many[0][1].holds(9)
    assert not many[0][1].holds(8)
    assert not many[0][1].holds(17)
    assert ranks_data.rows(estimate({})) == ()


def test_parts_of_a_cell_add_up() -> None:
    for row in ranks_data.rows(estimate(MESH)):
        for cell in row:
            assert sum(cell.parts) == cell.whole_bytes
            assert cell.spare_bytes == (cell.capacity_bytes or 0) - cell.whole_bytes


def test_the_fullest_is_darkest_and_the_reason_is_said() -> None:
    subject = estimate(MESH)
    cells = [cell for row in ranks_data.rows(subject) for cell in row]
    worst = ranks_data.worst(subject)
    assert worst is not None
    assert worst.rank == 0
    shades = [Shades.of(cells).of_cell(cell) for cell in cells]
    assert shades == sorted(shades, reverse=True)
    assert shades[0] > shades[-1]
    words = ranks_data.why(subject)
    assert "activations against" in words
    assert words.endswith("Stage 0 keeps 4 micro-batches in flight.")
    alike = ranks_data.why(estimate({"sharding.cards_per_node": 8}))
    assert alike.startswith("All 8 ranks hold the same; most of it is ")


def test_micro_batches_in_flight() -> None:
    section = Plan().with_values(MESH).sharding
    assert [in_flight(section, stage, 8) for stage in range(4)] == [4, 3, 2, 1]
    assert [in_flight(section, stage, 2) for stage in range(4)] == [2, 2, 2, 1]
    everything = section.model_copy(update={"schedule": "gpipe"})
    assert [in_flight(everything, stage, 8) for stage in range(4)] == [8, 8, 8, 8]
    assert in_flight(section.model_copy(update={"schedule": "zero_bubble"}), 0, 8) is None


def figures(stage: int, size: int, verdict: Verdict) -> RankFigures:
    return RankFigures(
        first=stage, count=1, stage=stage, allocated_bytes=size, device_bytes=size,
        verdict=verdict, phase="backward", by_category=Categories(activations=size),
    )  # fmt: skip


def test_a_rank_that_fits_does_not_hide_one_that_does_not() -> None:
    card = Device(name="H100 80GB", kind="cuda", memory_bytes=80 * GIB, architecture="9.0")
    subject = estimate({"sharding.cards_per_node": 2, "sharding.pipeline": 2}, 1).model_copy(
        update={
            "device": card,
            "ranks": (figures(0, 90 * GIB, "does_not_fit"), figures(1, 20 * GIB, "fits")),
        }
    )
    said = lines(subject)
    assert said.verdict == "Rank 0 does not fit"
    assert said.place == "Of rank 1; rank 0 has 10.0 GiB missing"


# The whole window


def test_a_degree_is_one_command_and_data_follows(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, {**MESH, "sharding.expert": 4})
    document, editor = opened.session.document, opened.workspace.ranks.editor
    before = document.history.count()
    editor.fields["tensor"].stepUp()
    editor.fields["tensor"].stepUp()
    section = document.plan.sharding
    assert (section.tensor, section.data_degree, section.expert) == (4, 1, 1)
    assert document.history.count() == before + 1
    assert "data 1" in editor.global_batch
    document.history.undo()
    assert document.plan.sharding.expert == 4


def test_the_form_s_degrees_take_along_what_follows(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, {**MESH, "sharding.expert": 4})
    opened.left.plan.edited.emit("sharding.tensor", 4, False)
    assert opened.session.document.plan.sharding.expert == 1
    row = opened.left.plan.sections()["sharding"].rows["sharding.tensor"]
    assert row.field.next_value(4, up=False) == 2  # type: ignore[union-attr]  # a number's row


def test_a_chosen_rank_is_shown_everywhere(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, MESH)
    grid = opened.workspace.ranks.grid
    document = opened.session.document
    assert document.estimate is not None
    assert document.estimate.rank == 0
    grid.cells[3][0].click()
    qtbot.waitUntil(lambda: document.estimate is not None and document.estimate.rank == 12,
                    timeout=LONG)  # fmt: skip
    assert grid.cells[3][0].isChecked()
    assert not grid.cells[0][0].isChecked()
    words = " ".join(one.text() for one in opened.right.rank.findChildren(QLabel))
    assert "Rank 12" in words
    assert "Why the fullest is" in words
    opened.right.rank.findChild(QPushButton).click()
    qtbot.waitUntil(lambda: document.estimate is not None and document.estimate.rank == 0,
                    timeout=LONG)  # fmt: skip


def test_a_rank_that_is_gone_is_not_asked_for(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, MESH)
    opened.session.choose_rank(12)
    edit(qtbot, opened, "sharding.pipeline", 1)
    shard(qtbot, opened, {"sharding.nodes": 1, "sharding.cards_per_node": 2})
    assert opened.session.rank is None


def test_arrow_keys_go_from_cell_to_cell(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, MESH)
    grid = opened.workspace.ranks.grid
    qtbot.waitUntil(grid.cells[0][0].isVisible)
    grid.cells[0][0].setFocus()
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up):
        qtbot.keyClick(opened.focusWidget(), key)
    assert opened.focusWidget() is grid.cells[0][2]
    assert grid.cells[0][0].accessibleName().endswith("the fullest")
    assert "activations" in grid.cells[0][0].accessibleDescription()


def test_boundaries_move_by_keys_and_by_dragging(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, MESH)
    bar, document = opened.workspace.ranks.stage_bar, opened.session.document
    assert bar.counts == (8, 8, 8, 8)
    before = document.history.count()
    first = bar.boundaries[0]
    first.setFocus()
    qtbot.keyClick(first, Qt.Key.Key_Left)
    qtbot.keyClick(first, Qt.Key.Key_Left)
    assert document.plan.sharding.stage_blocks == (6, 10, 8, 8)
    assert document.history.count() == before + 1
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)
    assert "Stage 0 ends with block 5" in first.accessibleDescription()
    last = bar.boundaries[2]
    start = QPoint(last.width() // 2, last.height() // 2)
    qtbot.mousePress(last, Qt.MouseButton.LeftButton, pos=start)
    last.setValue(bar.block_at(bar.x_of(27)))
    qtbot.mouseRelease(last, Qt.MouseButton.LeftButton, pos=start)
    assert document.plan.sharding.stage_blocks == (6, 10, 11, 5)
    qtbot.keyClick(first, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert document.plan.sharding.stage_blocks == (15, 1, 11, 5), "one block is left"


def test_the_table_says_what_the_grid_shows(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, MESH)
    view = opened.workspace.ranks
    view.copy()
    rows = QGuiApplication.clipboard().text().split("\n")
    assert rows[0].split("\t")[:3] == ["Ranks", "Parameters", "In flight"]
    assert rows[1].split("\t")[:3] == ["0 to 3, stage 0", "2.01 B", "4"]
    assert len(rows) == 5
    assert view.table.rowCount() == 4


def test_traffic_is_called_an_estimate(qtbot: QtBot, opened: MainWindow) -> None:
    shard(qtbot, opened, MESH)
    words = " ".join(one.text() for one in opened.right.rank.findChildren(QLabel))
    assert "28.0 GiB, 62 ms" in words
    assert "an estimate, not measured" in words
    assert "a rate is missing for the rest" in words


def test_one_card_says_how_to_have_more(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["view_ranks"].trigger()
    view = opened.workspace.ranks
    assert view.isVisible()
    assert not view.grid.isVisible()
    assert not view.stage_bar.isVisible()
    assert any("One card holds everything" in one.text() for one in view.findChildren(QLabel))
    qtbot.waitUntil(lambda: not opened.effects.waits, timeout=LONG)


def test_a_narrow_view_shows_all_of_it(qtbot: QtBot) -> None:
    view = RanksView()
    qtbot.addWidget(view)
    view.set_plan(Plan().with_values(MESH))
    view.set_estimate(estimate(MESH))
    view.show()
    scroll = view.findChild(QScrollArea)
    assert scroll is not None
    for width in (1200, 600):
        view.resize(width, 800)
        qtbot.waitUntil(lambda: scroll.horizontalScrollBar().maximum() == 0)
