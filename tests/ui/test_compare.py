"""The Compare view in the window: plans are kept, stand side by side, and are used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QInputDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from memplanner.plan import Plan
from memplanner.report import text
from memplanner.report.differences import Compared
from memplanner_ui.compare_kept import MOST, KeptPlans
from memplanner_ui.main_window import MainWindow
from memplanner_ui.settings import KeptPlan, SettingsFile
from memplanner_ui.views.compare import CompareView
from memplanner_ui.workspace import COMPARE, LAYERS
from tests.report.estimates import estimate
from tests.ui.acting import LONG, edit, press


def settle(qtbot: QtBot, window: MainWindow) -> None:
    """Waits until everything of the view is estimated."""
    compare = window.compare
    qtbot.waitUntil(
        lambda: not compare.waits and all(map(compare._known, compare._keys())), timeout=LONG
    )


def show(qtbot: QtBot, window: MainWindow) -> None:
    window.actions_["view_compare"].trigger()
    settle(qtbot, window)


@pytest.fixture
def kept(qtbot: QtBot, opened: MainWindow) -> MainWindow:
    """A window that keeps a larger batch and LoRA; the plan itself is the first one."""
    edit(qtbot, opened, "training.batch_size", 4)
    opened.actions_["keep_plan"].trigger()
    edit(qtbot, opened, "adapters.method", "lora")
    opened.actions_["keep_plan"].trigger()
    for _ in range(2):
        opened.actions_["undo"].trigger()
    show(qtbot, opened)
    return opened


def names(window: MainWindow) -> list[str]:
    return [one.name for one in window.compare.compared()]


def titles(window: MainWindow) -> list[str]:
    plans = window.left.plans.plans
    return [plans.item(row).text() for row in range(plans.count())]


def cell(window: MainWindow, title: str, column: int) -> str:
    table = window.workspace.compare.table
    for row in range(table.rowCount()):
        item, found = table.item(row, 0), table.item(row, column)
        if item is not None and item.text() == title and found is not None:
            return found.text()
    raise AssertionError(f"no row {title}")


def test_plans_are_kept_by_what_they_change_and_stand_beside_the_open_one(
    kept: MainWindow,
) -> None:
    assert kept.workspace.current == COMPARE
    assert names(kept) == ["new plan", "LoRA, micro-batch 4", "micro-batch 4"]
    told = kept.compare.compared()
    for one in told:
        assert one.estimate is not None
    assert [one.estimate.plan.training.batch_size for one in told if one.estimate] == [1, 4, 4]
    assert not kept.right.isVisible()
    assert kept.left.plans.isVisible()
    assert titles(kept) == names(kept)
    item = kept.left.plans.plans.item(1)
    told_aloud = item.data(Qt.ItemDataRole.AccessibleTextRole)
    assert told_aloud.startswith("LoRA, micro-batch 4, kept today")
    assert told_aloud.endswith("shown as B")


def test_the_table_has_differences_and_the_settings(kept: MainWindow) -> None:
    estimates = [one.estimate for one in kept.compare.compared()]
    first, second = estimates[0], estimates[2]
    assert first is not None
    assert second is not None
    assert second.peak.allocated_bytes > first.peak.allocated_bytes
    assert cell(kept, "Activations", 5).startswith("+")
    assert cell(kept, "Parameters", 5) == "same"
    assert cell(kept, "Micro-batch", 1) == "1"
    assert cell(kept, "Micro-batch", 4) == "4"


def test_another_baseline_turns_the_differences_around(kept: MainWindow) -> None:
    before = cell(kept, "Activations", 5)
    kept.workspace.compare.baselines.chosen.emit("C")
    after = cell(kept, "Activations", 2)
    assert after == before.replace("+", "−")
    header = kept.workspace.compare.table.horizontalHeaderItem(2)
    assert header is not None
    assert header.text() == "against C"


def test_modules_that_differ_are_listed(kept: MainWindow) -> None:
    view = kept.workspace.compare
    view.forms.choose("modules")
    view.forms.chosen.emit("modules")
    assert cell(kept, "model.layers.*, 8 alike", 5).startswith("+")


def test_a_plan_is_taken_out_and_one_always_stays(qtbot: QtBot, kept: MainWindow) -> None:
    plans = kept.left.plans.plans
    for key in ("LoRA, micro-batch 4", "micro-batch 4"):
        plans.select(key)
        qtbot.keyClick(plans, Qt.Key.Key_Space)
    assert names(kept) == ["new plan"]
    plans.select("")
    qtbot.keyClick(plans, Qt.Key.Key_Space)
    assert names(kept) == ["new plan"]
    box = plans.visualItemRect(plans.item(1)).topLeft() + QPoint(18, 20)
    qtbot.mouseClick(plans.viewport(), Qt.MouseButton.LeftButton, pos=box)
    assert len(names(kept)) == 2
    before = kept.session.document.plan
    qtbot.mouseDClick(plans.viewport(), Qt.MouseButton.LeftButton, pos=box)
    assert kept.session.document.plan == before


def test_using_a_plan_is_one_command_that_undo_takes_back(qtbot: QtBot, kept: MainWindow) -> None:
    document = kept.session.document
    before, commands = document.plan, document.history.index()
    card = kept.workspace.compare.cards.findChildren(QPushButton)[1]
    assert card.accessibleName() == "Use the plan LoRA, micro-batch 4"
    card.click()
    assert document.plan.adapters.method == "lora"
    assert document.plan.training.batch_size == 4
    assert document.history.index() == commands + 1
    kept.actions_["undo"].trigger()
    assert document.plan == before
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)
    settle(qtbot, kept)


def test_an_edit_is_followed(qtbot: QtBot, kept: MainWindow) -> None:
    edit(qtbot, kept, "training.batch_size", 8)
    settle(qtbot, kept)
    assert cell(kept, "Micro-batch", 1) == "8"
    assert cell(kept, "Activations", 5).startswith("−")


def test_a_plan_that_cannot_be_carried_out_says_why(qtbot: QtBot, kept: MainWindow) -> None:
    plan = kept.session.document.plan.with_values({"training.sequence_length": 13})
    kept.compare.keep_plan(plan, "thirteen", "from a test")
    settle(qtbot, kept)
    refused = next(one for one in kept.compare.compared() if one.name == "thirteen")
    assert refused.sentence == "13 is no length here; choose training.sequence_length=16."
    assert cell(kept, "Peak", 2 + names(kept).index("thirteen") - 1) == "–"


def test_plans_are_renamed_duplicated_pinned_and_deleted(qtbot: QtBot, kept: MainWindow) -> None:
    act = kept.compare.act
    act("duplicate", "micro-batch 4")
    assert names(kept)[1] == "micro-batch 4, copy"
    act("pin", "micro-batch 4")
    assert names(kept)[1] == "micro-batch 4"
    act("rename", "micro-batch 4")
    (dialog,) = kept.left.plans.findChildren(QInputDialog)
    dialog.setTextValue("  four   a step ")
    dialog.accept()
    assert names(kept)[1] == "four a step"
    kept.compare.rename("four a step", "LoRA, micro-batch 4")
    assert names(kept)[1] == "LoRA, micro-batch 4 2"
    before = names(kept)
    act("delete", "LoRA, micro-batch 4 2")
    assert len(names(kept)) == len(before) - 1
    press(kept.workspace.notice, "Keep again")
    assert sorted(names(kept)) == sorted(before)
    settle(qtbot, kept)


@pytest.mark.parametrize("written", [text.tabs, text.markdown, text.comma_separated])
def test_the_table_is_copied_whole(kept: MainWindow, written: Callable[[text.Rows], str]) -> None:
    kept.workspace.compare.copy(written)
    copied = QGuiApplication.clipboard().text()
    for expected in ("new plan", "LoRA, micro-batch 4", "Peak", "against A", "Activations"):
        assert expected in copied


def test_plans_survive_the_window_and_belong_to_their_model(
    qtbot: QtBot, kept: MainWindow, make_window: Callable[[], MainWindow]
) -> None:
    kept.session.document.history.setClean()
    kept.close()
    other = make_window()
    assert other.actions_["right_dock"].isChecked()  # the view hides it, but not for good
    other.session.open("preset:gpt2")
    qtbot.waitUntil(lambda: other.session.document.estimate is not None, timeout=LONG)
    assert other.compare.kept.plans == ()
    other.session.open("preset:llama-3.1-8b")
    qtbot.waitUntil(lambda: bool(other.compare.kept.plans), timeout=LONG)
    assert [one.name for one in other.compare.kept.plans] == [
        "LoRA, micro-batch 4",
        "micro-batch 4",
    ]


def test_nothing_is_estimated_while_the_view_is_out_of_sight(
    qtbot: QtBot, kept: MainWindow
) -> None:
    kept.workspace.show_view(LAYERS)
    edit(qtbot, kept, "training.batch_size", 2)
    assert not kept.compare.waits
    assert not kept.compare._known("")
    show(qtbot, kept)
    assert cell(kept, "Micro-batch", 1) == "2"


def test_a_plan_is_kept_once(kept: MainWindow) -> None:
    kept.actions_["keep_plan"].trigger()
    count = len(kept.compare.kept.plans)
    kept.actions_["keep_plan"].trigger()
    assert len(kept.compare.kept.plans) == count
    assert kept.left.plans.plans.current_key() == "First plan"


def test_figures_of_two_devices_are_never_beside_each_other(qtbot: QtBot, kept: MainWindow) -> None:
    session = kept.session
    card = next(one for one in session.devices if one.kind == "cuda")
    asked: list[tuple[str, ...]] = []

    def note() -> None:
        found = (one.estimate for one in kept.compare.compared())
        asked.append(tuple(one.device.name for one in found if one is not None))

    session.document.device_changed.connect(note)
    session.document.estimate_changed.connect(note)
    session.choose_device(card)
    qtbot.waitUntil(lambda: session.document.estimate_is_current, timeout=LONG)
    settle(qtbot, kept)
    note()
    assert asked[0] == ()
    assert set(asked[-1]) == {card.name}
    assert all(len(set(one)) <= 1 for one in asked)


def test_the_menu_offers_what_a_plan_allows(kept: MainWindow) -> None:
    of_open = kept.left.plans.menu_of("")
    assert [one.text() for one in of_open.actions()] == ["Keep this plan"]
    of_kept = kept.left.plans.menu_of("micro-batch 4")
    assert {one.objectName() for one in of_kept.actions()} == {
        "use", "duplicate", "rename", "pin", "delete",
    }  # fmt: skip
    of_open.deleteLater()
    of_kept.deleteLater()


def test_a_plan_of_a_newer_version_is_listed_with_what_is_wrong(
    qtbot: QtBot, kept: MainWindow
) -> None:
    odd = KeptPlan(name="odd", plan={"schema": 99}, kept=0.0, shown=True)
    source = kept.session.document.source or ""
    known = kept.session.settings.values.kept[source]
    kept.session.settings.update(kept={source: (*known, odd)})
    kept.compare.kept.open(source)
    assert "odd" in titles(kept)
    assert "odd" not in names(kept)
    item = kept.left.plans.plans.item(titles(kept).index("odd"))
    assert "odd" in item.toolTip().splitlines()[1]
    kept.compare.act("delete", "odd")
    assert "odd" not in titles(kept)


def test_plans_drawn_over_each_other_are_told_aloud(kept: MainWindow) -> None:
    plot = kept.workspace.compare.plot
    told = plot.accessibleDescription()
    for letter in "ABC":
        assert f"{letter} peaks at " in told
    assert "in backward" in told
    kept.workspace.compare.alignment.chosen.emit("time")
    assert not plot.grab().isNull()


def test_the_oldest_that_is_neither_shown_nor_pinned_goes_first(
    qtbot: QtBot, tmp_path: Path
) -> None:
    clock = iter(range(1000))
    settings = SettingsFile(tmp_path / "window.json")
    plans = KeptPlans(settings, now=lambda: float(next(clock)))
    plans.open("model")
    for number in range(MOST):
        plans.keep(Plan(), f"plan {number}")
    plans.pin("plan 0", pinned=True)
    plans.show("plan 5", shown=False)
    plans.keep(Plan(), "one more")
    left = {one.name for one in plans.plans}
    assert len(left) == MOST
    assert "plan 5" not in left
    assert {"plan 0", "plan 1", "one more"} <= left
    settings.save()


def test_no_number_is_cut_where_the_view_is_narrow(qtbot: QtBot) -> None:
    view = CompareView()
    qtbot.addWidget(view)
    first, second = estimate(1, seconds=1.0), estimate(20, seconds=2.5)
    view.show_plans((Compared("a", first), Compared("b", second), Compared("c", first)), 0, 0)
    assert view.minimumSizeHint().width() <= 480
    for width in (480, 1100):
        view.resize(width, 640)
        view.show()
        qtbot.waitExposed(view)
        QApplication.processEvents()
        numbers = [
            one
            for one in view.cards.findChildren(QLabel)
            if one.isVisible() and one.text().startswith(("+", "−", "1.0 s", "2.5 s"))
        ]
        assert len(numbers) == 3 + 1  # the time on each card, and the only difference
        for one in numbers:
            assert one.width() >= one.fontMetrics().horizontalAdvance(one.text())
        table = view.table
        for column in range(1, table.columnCount()):
            item = table.item(0, column)
            assert item is not None
            needed = table.fontMetrics().horizontalAdvance(item.text())
            assert table.columnWidth(column) >= needed
